"""Why an action is not taken in at all, in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, PlatformError, ResourceExhausted
from flyteplane.scheduler.domain.queueing.classes import Demand, ResourceClass, describe_classes
from flyteplane.scheduler.domain.queueing.queues import Queue
from flyteplane.scheduler.domain.queueing.slots import Slot

#: When to try a full queue again.
RETRY_AFTER_S: Final = 5.0


def unknown_queue(name: str, *, known: Iterable[str]) -> PlatformError:
    """There is no such queue."""
    return InvalidArgument(
        f"there is no queue {name!r}",
        reason="UNKNOWN_QUEUE",
        field="queue",
        limit=f"queues: {', '.join(sorted(known))}",
        mend="Use one of these, or have an operator create it: flyte create queue.",
    )


def refusal_of(queue: Queue, *, adding: int, parent: Slot | None = None) -> PlatformError | None:
    """Why the queue does not take `adding` more actions; None if it does. Parents that wait, and the one that is about
    to, take no room from children: a queue that is full of them would never move again."""
    settings = queue.settings
    if settings.draining:
        state = "drained" if queue.empty else "draining"
        return FailedPrecondition(
            f"queue {settings.name!r} is {state} and takes nothing new",
            reason="QUEUE_DRAINING",
            field="queue",
            mend=f"Use another queue, or have an operator activate it: flyte activate queue {settings.name}.",
        )
    held = queue.held
    if parent is not None:
        held = queue.running - (parent.queue == settings.name and not parent.lent)
    if settings.depth and held + queue.waiting + adding > settings.depth:
        return ResourceExhausted(
            f"queue {settings.name!r} is full: {queue.held} actions run and {queue.waiting} wait",
            reason="QUEUE_FULL",
            field="queue",
            limit=f"{settings.depth} actions, running and waiting",
            mend="Try again later, or use another queue.",
            metadata={"queue": settings.name, "depth": str(settings.depth)},
            retry_after_s=RETRY_AFTER_S,
        )
    return None


def no_class_fits(demand: Demand, *, queue: str, classes: Iterable[ResourceClass]) -> PlatformError:
    """The demand fits no class that the queue can use."""
    classes = list(classes)
    asked = [f"cpu {demand.cpu_millis / 1000:g}", f"memory {demand.memory_bytes / 2**30:.4g} GiB"]
    asked += [f"{key} {count}" for key, count in demand.accelerators]
    return InvalidArgument(
        f"no resource class of queue {queue!r} fits {', '.join(asked)}",
        reason="NO_CLASS_FITS",
        field=_field(demand, classes),
        limit=f"classes: {describe_classes(classes)}",
        mend="Ask for less, use another queue, or have an operator define a larger class.",
    )


def _field(demand: Demand, classes: Iterable[ResourceClass]) -> str:
    """The one resource that no class has enough of, if it is one by itself."""
    alone = {
        "resources.gpu": Demand(accelerators=demand.accelerators),
        "resources.memory": demand._replace(cpu_millis=0),
        "resources.cpu": demand._replace(memory_bytes=0),
    }
    for field, part in alone.items():
        if not any(one.fits(part) for one in classes):
            return field
    return "resources"
