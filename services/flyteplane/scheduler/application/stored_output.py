"""Telling workers what of their output is stored, so that they need not keep it.

A worker that may outlive a scheduler keeps what it has said until then, and says it again to the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteapi.scheduler.v1.worker_service_pb2 import OutputStored, WorkerOrder

if TYPE_CHECKING:
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.ports import OnStored, RunKey


def told_by(engine: Engine) -> OnStored:
    """Tells the worker of an attempt that is under way; one that is over has nobody who keeps anything."""

    def tell(run: RunKey, action: str, attempt: int, position: int) -> None:
        living = engine.runs.get(run)
        found = living.actions.get(action) if living is not None else None
        if found is None or found.attempt is None or found.state.attempt != attempt:
            return
        lease = found.attempt.lease
        order = WorkerOrder(lease=lease, output_stored=OutputStored(position=position))
        found.attempt.placement.send(lease, (order,))

    return tell
