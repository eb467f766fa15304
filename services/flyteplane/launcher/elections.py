"""Every service elects a leader: any number of processes may carry it, and one of them serves."""

from collections.abc import Mapping
from typing import Final

from flyteplane.leadership import shards

#: Under which name each elects its leader.
ELECTED: Final[Mapping[str, str]] = {
    "admin": shards.ADMIN,
    "scheduler": shards.SCHEDULER,
    "cache": shards.CACHE,
    "secrets": shards.SECRETS,
    "reuse_pool": shards.REUSE_POOL,
}
