"""The head start of a task: its worker has its first orders and its code before the agent itself is loaded.

What is not as usual is left to the agent, which does the same with whatever a scheduler says, and tells what is wrong.
"""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from flyte.runner.pod.bundle import unpack
from flyte.runner.pod.child import Child
from flyte.runner.pod.endings import CannotRun
from flyte.runner.pod.endpoints import Endpoints
from flyte.runner.pod.first_words import FirstOrders, FirstWords
from flyte.runner.pod.settings import PodSettings
from flyte.runner.pod.startup_frame import can_be_plain, startup_frame
from flyte.runner.pod.workplace import Workplace
from flyte.spec.frames import encode_frame

LEFT_ALONE_S: Final = 0.3
"""How long at most a task that has its first orders is left alone."""


@dataclass(frozen=True, slots=True)
class HeadStart:
    """What came of the first words."""

    endpoints: Endpoints
    """At the scheduler that has answered, or at the next one to try."""
    first: FirstOrders | None
    """None if nobody has answered in time."""
    given: bool
    """Whether the worker has its code and these orders."""


def head_start(words: FirstWords, worker: socket.socket, *, settings: PodSettings, workplace: Workplace) -> HeadStart:
    """Waits for the answer to the first words, and passes it on.

    Args:
        worker: the worker's stream, on which nothing was said yet.
    """
    first = words.answer()
    given = first is not None and _give(first, worker, settings=settings, workplace=workplace)
    return HeadStart(words.endpoints, first, given)


def leave_alone(child: Child, workplace: Workplace, *, at_most_s: float = LEFT_ALONE_S) -> None:
    """Waits until the worker says, writes or asks for something, or has ended: what the agent loads next would only
    take the processor from it.
    """
    poll = select.poll()
    for place in (child.stream, child.output, workplace.listener):
        poll.register(place, select.POLLIN)
    poll.poll(at_most_s * 1000)


def _give(first: FirstOrders, worker: socket.socket, *, settings: PodSettings, workplace: Workplace) -> bool:
    declared = next((order.declare_task for order in first.orders if order.HasField("declare_task")), None)
    if declared is None or declared.spec.image.python_packages or not can_be_plain(first.orders):
        return False
    if digest := declared.spec.entrypoint.bundle_digest:
        packed, content = workplace.folder / "first.tar.gz", workplace.folder / "first"
        try:
            packed.write_bytes(first.bundle)
            unpack(packed, content, digest=digest)
            packed.unlink()
        except (CannotRun, OSError):
            return False
        declared.bundle_path = str(content)
    # If the worker is gone already the agent sees how it ended.
    with suppress(OSError):
        worker.sendall(encode_frame(startup_frame(settings, workplace=workplace, orders=first.orders)))
    return True
