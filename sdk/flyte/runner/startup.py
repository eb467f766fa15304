"""What a worker is told before anything else: the first frame on its stream.

It travels on the stream and not with the request to fork, so that an environment of any size fits and so that a
worker that was forked ahead can be told what it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder

PROTOCOL: Final = 1
"""Version of the worker messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """Who the worker is and what surrounds it."""

    name: str
    replica: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    """The whole environment; nothing is inherited."""
    cwd: str = "."
    cwd_is_own: bool = True
    """The working folder was made for this worker alone. It is the image's otherwise: what lies in it stays."""
    temp: str = "/tmp"
    """Folder for temporary files, made for this worker alone if it is a replica."""
    data_limit_bytes: int = 0
    """Limit by RLIMIT_DATA, where no cgroup keeps it; 0 for none."""
    groups: Sequence[tuple[str, Sequence[tuple[str, str]]]] = ()
    """Control groups to be in: the folder to make one in, and files of it with what to write."""
    secrets_folder: str = ""
    """Where files of secrets may be written if /etc/flyte/secrets cannot be used."""
    secrets_in_memory: bool = False
    """`secrets_folder` is there already, in memory, and this worker's alone: it is used as it is."""
    data_socket: str = ""
    """Where the agent beside the worker passes on what it reads and writes of the platform's objects; empty where the
    worker can reach them itself."""
    orders: Sequence[WorkerOrder] = ()
    """The first ones, given at once; they only read as messages do, see `plain_messages`."""

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Reads the JSON object of a start-up frame. Raises ValueError if it is none."""
        values = json.loads(content)
        if not isinstance(values, dict):
            raise ValueError("a start-up frame is one JSON object")
        if orders := values.get("orders"):
            from flyte.runner.plain_messages import from_plain

            values["orders"] = from_plain(orders)
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"the start-up frame does not fit this runner: {error}") from error
