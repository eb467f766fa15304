"""Waits for a run and keeps its tree up to date, from the run's events alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flyte.client.channel import Connection, connection
from flyte.errors import BaseRuntimeError
from flyte.remote.action import ROOT
from flyte.remote.listing import list_actions
from flyte.remote.phases import phase_from_proto
from flyte.remote.watching import watch_run
from flyte.syncify import syncify
from flyteapi.common.v1.phase_pb2 import CACHE_STATUS_HIT
from flyteapi.scheduler.v1.event_pb2 import Event
from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState

if TYPE_CHECKING:
    from flyte.cli.tree import RunTree
    from flyte.remote.run import Run


class Progress:
    """What whoever draws looks at."""

    def __init__(self, tree: RunTree) -> None:
        self.tree = tree
        self.trouble = ""
        """Why nothing is heard of the run just now; empty if all is well."""

    def broke(self, error: BaseRuntimeError) -> None:
        """Note that the platform is away."""
        self.trouble = str(error)


@syncify
async def follow(run: Run, progress: Progress, *, on_event: Callable[[Event], None] | None = None) -> None:
    """Return when the run has ended; `run` then knows its phase, error and outputs.

    `on_event` is told of each event, the earlier ones first.
    """
    platform = connection()
    # It has told of the run, so one that is away comes back.
    async for piece in watch_run(platform, run.message.id, must_answer=False, on_break=progress.broke):
        progress.trouble = ""
        for event in piece.events:
            take_event(progress.tree, event)
            if on_event is not None:
                on_event(event)
            if event.action == ROOT:
                run.apply(event)
        if piece.resync:
            await _list_again(platform, run, progress)
    await run.wait.aio()


async def _list_again(platform: Connection, run: Run, progress: Progress) -> None:
    async for state in list_actions(platform, run.message.id):
        take_state(progress.tree, state)


def take_event(tree: RunTree, event: Event) -> None:
    """Take an event into a tree."""
    phase = phase_from_proto(event.phase)
    if event.HasField("header"):
        header = event.header
        tree.add(
            event.action,
            parent=header.parent,
            name=header.short_name or header.task_name,
            group=header.group,
            phase=phase,
        )
    tree.move(
        event.action,
        phase=phase,
        attempt=event.attempt,
        note=event.reason or _short(event.error.message),
        cached=event.cache_status == CACHE_STATUS_HIT,
    )


def take_state(tree: RunTree, state: ActionState) -> None:
    """Take an action of a list into a tree."""
    header, phase = state.header, phase_from_proto(state.phase)
    tree.add(
        state.id.name,
        parent=header.parent,
        name=header.short_name or header.task_name,
        group=header.group,
        phase=phase,
    )
    tree.move(
        state.id.name,
        phase=phase,
        attempt=state.attempt,
        note=state.reason or _short(state.error.message),
        cached=state.cache_status == CACHE_STATUS_HIT,
    )


def _short(message: str) -> str:
    first = message.strip().partition("\n")[0]
    return first if len(first) <= 120 else f"{first[:117]}..."
