"""Why an item still waits, in words, for whoever asks for an explanation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flyteplane.scheduler.domain.queueing.fair_ring import Waiting
from flyteplane.scheduler.domain.queueing.queues import Queue, Seat
from flyteplane.scheduler.domain.queueing.shapes import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What an item waits for."""

    kind: Literal["queue", "run", "class", "cluster"]
    ahead: int
    """How many of its queue go before it as things are; an estimate where limits or room let some pass others."""
    message: str
    resource_class: str = ""
    """The class that it was mapped to; empty if it needs none, or if none fits any more."""


def wait_of(waiting: Waiting) -> Wait:
    """What the item waits for."""
    seat, shape = waiting.strand.seat, waiting.strand.lane.shape
    ahead = _ahead(waiting)
    kind, message = _reason(seat, shape)
    if ahead:
        message = f"{message}; {ahead} of its queue go before it"
    return Wait(kind=kind, ahead=ahead, message=message, resource_class=shape.key.resource_class)


def _reason(seat: Seat, shape: Shape) -> tuple[Literal["queue", "run", "class", "cluster"], str]:
    queue, run = seat.queue, seat.run
    if run.full:
        return "run", f"its run has {run.running} of at most {run.limit} attempts at once"
    if queue.full:
        limit = queue.settings.action_concurrency
        return "queue", f"queue {queue.settings.name!r} runs {queue.running} of at most {limit} actions"
    if not seat.slots and queue.full_of_runs:
        limit = queue.settings.run_concurrency
        return "queue", f"queue {queue.settings.name!r} has {queue.runs} of at most {limit} runs"
    if shape.key.needs_room and not shape.key.resource_class:
        return "class", "no resource class fits its resources any more; an operator has to define one"
    quota = shape.resource_class
    if quota is not None and not quota.offers(shape):
        return "class", _quota_message(shape)
    if shape.waits_for:
        return "cluster", _cluster_message(shape)
    return "queue", f"its turn in queue {queue.settings.name!r} comes"


def _quota_message(shape: Shape) -> str:
    quota = shape.resource_class
    assert quota is not None
    if quota.fits(shape.demand):
        return f"the quota of resource class {quota.name!r} is kept for an action that has waited longer"
    return (
        f"resource class {quota.name!r} has used up its quota: "
        f"cpu {quota.used_cpu / 1000:g} of {_or_any(quota.cpu_millis / 1000)}, "
        f"memory {quota.used_memory / 2**30:.4g} of {_or_any(quota.memory_bytes / 2**30)} GiB"
    )


def _cluster_message(shape: Shape) -> str:
    said = []
    for room in shape.clusters:
        if not room.reachable:
            said.append(f"cluster {room.name!r} cannot be reached")
        elif room.fits(shape.demand):
            said.append(f"cluster {room.name!r} is kept for an action that has waited longer")
        else:
            said.append(f"cluster {room.name!r} has no room for it beside {room.running} others")
    return ", ".join(said)


def _or_any(limit: float) -> str:
    return f"{limit:.4g}" if limit else "any"


def _ahead(waiting: Waiting) -> int:
    """Items served before it if all go round in turn: as many of each other run, and then of each other project, as
    go before it in its own, and one more of those whose turn is earlier."""
    seat = waiting.strand.seat
    queue, tenant = seat.queue, seat.tenant
    ahead = _before(waiting)
    in_project = ahead
    by_tenant = dict.fromkeys(queue.tenants.values(), 0)
    for other in queue.seats.values():
        by_tenant[other.tenant] += other.waiting
        if other is not seat and other.tenant is tenant:
            in_project += min(other.waiting, ahead + (other.stamp < seat.stamp))
    in_queue = in_project
    for project, count in by_tenant.items():
        if project is not tenant:
            in_queue += min(count, in_project + (project.stamp < tenant.stamp))
    return in_queue


def _before(waiting: Waiting) -> int:
    count, before = 0, waiting.before
    while before is not None:
        count, before = count + 1, before.before
    return count


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """A queue at this moment."""

    running: int = 0
    """Attempts that run and do not wait for children."""
    waiting: int = 0
    runs: int = 0
    """Runs that hold a slot."""
    held: int = 0
    """Attempts, those that wait for their children included; with `waiting` the depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomFigures:
    """What is in use of a class or cluster at this moment."""

    used_cpu_millis: int = 0
    used_memory_bytes: int = 0
    running: int = 0


def queue_figures(queue: Queue) -> QueueFigures:
    """The figures of a queue."""
    return QueueFigures(running=queue.running, waiting=queue.waiting, runs=queue.runs, held=queue.held)
