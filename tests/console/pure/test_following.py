"""Following a run for one reader: what is collected, skipped through and resumed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any, cast

import pytest

from flyteapi.admin.v1.run_service_pb2 import (
    CountActionsRequest,
    CountActionsResponse,
    WatchRunRequest,
    WatchRunResponse,
)
from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.scheduler.v1.event_pb2 import Event
from flyteplane.console.calls import Platform
from flyteplane.console.live import Message, stream
from flyteplane.console.pacing import pause_after
from flyteplane.console.run_changes import MOST_NAMED, Changes, RunWatch
from flyteplane.foundation.errors import NotFound

RUN = RunId(project="p", domain="d", name="r")


def events(*names: str, first: int = 1, ended: bool = False) -> WatchRunResponse:
    found = [Event(sequence=first + place, action=name) for place, name in enumerate(names)]
    return WatchRunResponse(events=found, next_sequence=first + len(names), ended=ended)


class Scheduler:
    """Gives one list of messages for each watch, in order; after the last message a watch waits for ever."""

    def __init__(self, *watches: Sequence[WatchRunResponse], now_at: int = 0) -> None:
        self._watches = list(watches)
        self._now_at = now_at
        self.begun_at: list[int] = []
        self.runs = self

    def WatchRun(self, request: WatchRunRequest) -> AsyncIterator[WatchRunResponse]:
        self.begun_at.append(request.from_sequence)
        return self._stream(self._watches.pop(0))

    async def CountActions(self, request: CountActionsRequest) -> CountActionsResponse:
        return CountActionsResponse(next_sequence=self._now_at)

    async def _stream(self, messages: Sequence[WatchRunResponse]) -> AsyncIterator[WatchRunResponse]:
        for message in messages:
            yield message
        if not messages or not messages[-1].ended:
            await asyncio.Event().wait()


class Waiting(Scheduler):
    """Says one thing at a time."""

    async def _stream(self, messages: Sequence[WatchRunResponse]) -> AsyncIterator[WatchRunResponse]:
        for message in messages:
            yield message
            for _ in range(5):
                await asyncio.sleep(0)


async def followed(scheduler: Scheduler, *, from_sequence: int = 1, report_of: str = "") -> list[Changes]:
    watch = RunWatch(cast(Platform, scheduler), RUN, from_sequence=from_sequence, report_of=report_of)
    found = []
    async for changes in watch.changes():
        found.append(changes)
        for _ in range(10):
            await asyncio.sleep(0)
    return found


async def test_names_are_collected_until_the_run_has_ended() -> None:
    parts = [events("a0", "b", "a0"), events("c", first=4), events(first=5, ended=True)]
    found = await followed(Scheduler(parts))
    assert [name for changes in found for name in changes.names] == ["a0", "b", "c"]
    assert (found[-1].ended, found[-1].next_sequence) == (True, 5)
    assert not any(changes.many for changes in found)


async def test_an_end_that_comes_while_the_page_is_brought_up_to_date_is_told() -> None:
    class Late(Scheduler):
        async def _stream(self, messages: Sequence[WatchRunResponse]) -> AsyncIterator[WatchRunResponse]:
            yield messages[0]
            await asyncio.sleep(0)
            yield messages[1]

    found = await followed(Late([events("a0"), events(first=2, ended=True)]))
    assert [changes.ended for changes in found] == [False, True]


async def test_a_flood_is_skipped_through_to_where_the_log_stands() -> None:
    flood = [events(*(f"c{number}" for number in range(2000)))]
    scheduler = Scheduler(flood, [events("a0", first=9000, ended=True)], now_at=9000)
    found = await followed(scheduler)
    assert found[0].many
    assert len(found[0].names) == MOST_NAMED
    assert scheduler.begun_at == [1, 9000]
    assert found[-1].ended


async def test_a_reader_that_was_too_slow_goes_on_without_a_gap() -> None:
    scheduler = Scheduler([WatchRunResponse(resync=True, next_sequence=7)], [events("a0", first=7, ended=True)])
    found = await followed(scheduler, from_sequence=3)
    assert scheduler.begun_at == [3, 7]
    assert found[0].many


async def test_a_report_wakes_only_who_shows_it() -> None:
    written = WatchRunResponse(reports=["a0", "b"], next_sequence=1)
    parts = [written, events(first=1, ended=True)]
    assert [(changes.report, changes.ended) for changes in await followed(Waiting(parts), report_of="b")] == [
        (True, False),
        (False, True),
    ]
    assert [changes.ended for changes in await followed(Waiting(parts))] == [True]


async def test_a_watch_that_is_refused_is_refused() -> None:
    class Refusing(Scheduler):
        async def _stream(self, messages: Sequence[WatchRunResponse]) -> AsyncIterator[WatchRunResponse]:
            raise NotFound("gone")
            yield

    with pytest.raises(NotFound):
        await followed(Refusing([]))


async def sent(messages: AsyncGenerator[Message, None], until: Callable[[str], bool] = lambda _: False) -> list[str]:
    body = cast(AsyncGenerator[Any, None], stream(messages).body_iterator)
    found = []
    async for piece in body:
        found.append(piece)
        if until(piece):
            await body.aclose()
    return found


async def test_messages_are_one_line_of_data_with_where_to_go_on() -> None:
    async def messages() -> AsyncGenerator[Message, None]:
        yield Message(kind="lines", data="a\nevent: forged\n\n", id="7")
        raise NotFound("the platform went away")

    retry, message = await sent(messages())
    assert retry.startswith("retry: ")
    assert message == 'id: 7\nevent: lines\ndata: "a\\nevent: forged\\n\\n"\n\n'


async def test_what_a_stream_has_open_is_closed_when_the_browser_leaves() -> None:
    closed = asyncio.Event()

    async def messages() -> AsyncGenerator[Message, None]:
        try:
            yield Message(kind="first")
            await asyncio.Event().wait()
        finally:
            closed.set()

    await sent(messages(), until=lambda piece: "first" in piece)
    await asyncio.wait_for(closed.wait(), 5)


def test_updates_that_take_long_are_made_less_often_but_never_stop() -> None:
    assert pause_after(0.0) == 0.25
    assert pause_after(0.05) == pytest.approx(1.5)
    assert pause_after(60.0) == 3.0
