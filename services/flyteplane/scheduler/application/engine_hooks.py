"""What the engine asks of the other parts of the scheduler, and what it tells them.

The parts are made around the engine, which therefore is there before them: it is connected to them once all are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.worker_service_pb2 import WorkerReport
    from flyteplane.scheduler.application.living import Action, Attempt, TaskRecord
    from flyteplane.scheduler.application.placing import Site
    from flyteplane.scheduler.domain.queueing.classes import Demand
    from flyteplane.scheduler.domain.queueing.slots import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineHooks:
    """Called within a turn of the engine: none of them waits."""

    demand_of: Callable[[TaskRecord, str], Demand]
    """What admission has to find room for, given a task and a queue."""
    site_of: Callable[[TaskRecord, str], Site]
    """Where the replicas are that carry out a task's actions of a queue."""
    may_begin: Callable[[Action, Slot], bool]
    """Whether an admitted action is placed now, in the slot given. False: the slot is taken care of."""
    on_ready: Callable[[Action], None]
    """An action may go on, after an attempt or a wait that failed."""
    on_taken_over: Callable[[Action], None]
    """An attempt of the leader before goes on."""
    on_placed_again: Callable[[Action], None]
    """An action has one more attempt, and so one more log."""
    on_submit: Callable[[Attempt, WorkerReport], None]
    """A worker calls tasks."""
    on_declare: Callable[[WorkerReport], None]
    """A worker tells of a task that it is going to call."""
    on_finish: Callable[[Action], None]
    """An action has ended."""
    on_run_change: Callable[[], None]
    """A run has begun or ended."""
