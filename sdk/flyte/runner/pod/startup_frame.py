"""What the worker of a pod is told before anything else."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Final

from flyte.runner.plain_messages import to_plain
from flyte.runner.pod.settings import PodSettings, environment_of_task
from flyte.runner.pod.workplace import Workplace
from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder

_SECRETS_FOLDER: Final = "/etc/flyte/secrets"
"""In memory, where the pod mounts it for a task that has secrets as files."""
_MOST_PLAIN_BYTES: Final = 1 << 20
"""As plain values bytes take up to six times as much, and a frame has its limit."""


def can_be_plain(orders: Iterable[WorkerOrder]) -> bool:
    """Whether the worker can be given these orders with its first frame."""
    return sum(order.ByteSize() for order in orders) <= _MOST_PLAIN_BYTES


def startup_frame(settings: PodSettings, *, workplace: Workplace, orders: Iterable[WorkerOrder] = ()) -> bytes:
    """The worker's first frame. It keeps the container's variables and working folder; a replica has a folder for
    temporary files to itself, since it is emptied between attempts.

    Args:
        orders: the first ones, if it is to begin at once.
    """
    in_memory = os.path.ismount(_SECRETS_FOLDER) and os.access(_SECRETS_FOLDER, os.W_OK)
    return json.dumps(
        {
            "name": settings.name,
            "replica": settings.replica,
            "env": environment_of_task(os.environ),
            "cwd": os.getcwd(),
            "cwd_is_own": False,
            "temp": str(workplace.folder / "temp") if settings.replica else os.environ.get("TMPDIR") or "/tmp",
            "secrets_folder": _SECRETS_FOLDER if in_memory else str(workplace.folder / "secrets"),
            "secrets_in_memory": in_memory,
            "data_socket": workplace.data_path,
            "orders": [to_plain(order) for order in orders],
        }
    ).encode()
