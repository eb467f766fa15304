"""Which addresses a worker in a pod reaches through the agent beside it: those of the platform's own object store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flyte.runner.relayed_objects import RelayedObjects
from flyte.storage.routes import add_route
from flyteapi.scheduler.v1.worker_service_pb2 import DeclareRun

_ATTEMPTS: Final = "data/"
"""Below it are the data of attempts."""
_UPLOADS: Final = "inputs/"
"""Below it, in the same store, are files that were given as inputs of runs."""
_BY_KEY: Final = "flyte-object://"
"""How the platform itself names objects of a store that only it can reach."""


def route_platform_data(run: DeclareRun, *, agent: str, lease_for: Callable[[str], int]) -> None:
    """Sends what is read and written of the store that this run's data lies in through the agent's socket.

    Args:
        lease_for: see `RelayedObjects`.
    """
    key = f"{run.run.project}/{run.run.domain}/{run.run.name}/"
    if not run.data_prefix.endswith(key):
        return
    prefix = run.data_prefix.removesuffix(key)
    objects = RelayedObjects(agent, lease_for=lease_for)
    add_route(prefix, objects)
    add_route(_BY_KEY, objects)
    if prefix.endswith(f"/{_ATTEMPTS}"):
        add_route(f"{prefix.removesuffix(_ATTEMPTS)}{_UPLOADS}", objects)
