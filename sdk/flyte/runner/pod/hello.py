"""How a worker introduces itself on each of its streams."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from flyte.runner.startup import PROTOCOL
from flyte.spec.version import __version__
from flyteapi.scheduler.v1.worker_service_pb2 import Hello


def hello(token: str, *, running: Sequence[int] = ()) -> Hello:
    """The first report.

    Args:
        token: of the attempt.
        running: leases of what this worker runs already.
    """
    return Hello(
        token=token,
        protocol=PROTOCOL,
        pid=os.getpid(),
        hostname=socket.gethostname(),
        sdk_version=__version__,
        running=running,
    )
