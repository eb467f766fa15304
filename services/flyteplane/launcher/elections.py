"""Which services elect a leader: any number of processes may carry one of them."""

from collections.abc import Mapping
from typing import Final

from flyteplane.leadership import shards

#: Under which name each elects its leader.
ELECTED: Final[Mapping[str, str]] = {"scheduler": shards.SCHEDULER, "reuse_pool": shards.REUSE_POOL}
