"""The event log of a run as the platform tells it, followed piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Final

from flyte.client.channel import connection
from flyte.remote import Run
from flyte.remote.watching import watch_run
from flyte.syncify import syncify
from flyteapi.common.v1 import phase_pb2
from flyteapi.scheduler.v1.event_pb2 import Event

ROOT: Final = "a0"
TERMINAL: Final = frozenset(
    {phase_pb2.PHASE_SUCCEEDED, phase_pb2.PHASE_FAILED, phase_pb2.PHASE_ABORTED, phase_pb2.PHASE_TIMED_OUT}
)


class RunLog:
    """The events that were seen of a run."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.events: list[Event] = []
        self.tasks: dict[str, str] = {}
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        """Takes the next event; fails on a gap."""
        assert event.sequence == len(self.events) + 1, f"event {event.sequence} came after {len(self.events)}"
        self.events.append(event)
        if event.HasField("header"):
            self.tasks[event.action] = event.header.task_name

    def succeeded(self) -> set[str]:
        """Names of the actions that the platform has reported SUCCEEDED, without the root."""
        return {event.action for event in self.events if event.phase == phase_pb2.PHASE_SUCCEEDED} - {ROOT}

    def running(self) -> set[str]:
        """Names of the actions whose code has begun, the root included."""
        return {event.action for event in self.events if event.phase == phase_pb2.PHASE_RUNNING}

    def assert_continues(self, earlier: RunLog) -> None:
        """Fails unless all that was told before is still told, word for word."""
        kept = self.events[: len(earlier.events)]
        for before, after in zip(earlier.events, kept, strict=True):
            assert before == after, f"the log was changed: {before} is now {after}"

    def assert_each_action_ended_once(self) -> None:
        """Fails unless every action has exactly one terminal event, its last."""
        by_action: dict[str, list[Event]] = {}
        for event in self.events:
            by_action.setdefault(event.action, []).append(event)
        for action, events in by_action.items():
            ends = [event for event in events if event.phase in TERMINAL]
            assert len(ends) == 1, f"{action} ended {len(ends)} times"
            assert events[-1] is ends[0], f"{action} went on after its end"


@syncify
async def events_of(run: Run, from_sequence: int = 1) -> AsyncIterator[Event]:
    """Yields the events of a run as they come, until it has ended."""
    async for piece in watch_run(connection(), run.message.id, from_sequence=from_sequence, must_answer=False):
        assert not piece.resync, "events of a short run were left out"
        for event in piece.events:
            yield event


def whole_log(run: Run) -> RunLog:
    """The log of a run that has ended, or will end."""
    return RunLog(events_of(run))


def follow_until_done(run: Run, count: int) -> RunLog:
    """The log of a run up to the moment when so many children have succeeded."""
    log = RunLog()
    for event in events_of(run):
        log.add(event)
        if len(log.succeeded()) >= count:
            return log
    raise AssertionError("the run ended before the moment came")
