"""Captured output in the object store: what is stored when, what survives whom, and what a store that is away costs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from tests.scheduler.harness import settle

from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import Unavailable
from flyteplane.objects import MemoryObjectStore
from flyteplane.objects.port import Content, ObjectPage
from flyteplane.scheduler.application.ports import RunKey
from flyteplane.scheduler.store.log_objects import FLUSH_S, LogObjects

RUN = RunKey("project", "domain", "r1")
PREFIX = "logs/project/domain/r1/a0/"


class SometimesAway(MemoryObjectStore):
    """A store that can be away, or away with its answers."""

    away = False
    loses_answers = 0
    after_listing: Callable[[], Awaitable[None]] | None = None

    async def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> ObjectPage:
        page = await super().list(prefix, after=after, limit=limit)
        event, self.after_listing = self.after_listing, None
        if event is not None:
            await event()
        return page

    async def put_if_absent(self, key: str, content: Content) -> bool:
        if self.away:
            raise Unavailable("away")
        written = await super().put_if_absent(key, content)
        if self.loses_answers:
            self.loses_answers -= 1
            return False
        return written


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> SometimesAway:
    return SometimesAway(clock=clock)


@pytest.fixture
def logs(store: SometimesAway, clock: ManualClock) -> LogObjects:
    return LogObjects(store, clock=clock)


async def segments(store: SometimesAway, prefix: str = PREFIX) -> list[bytes]:
    return [await store.get(info.key) for info in (await store.list(prefix)).objects]


async def read(logs: LogObjects) -> bytes:
    return await logs.read(RUN, "a0", 1, offset=0, limit=999)


async def test_output_is_stored_after_some_seconds_and_at_once_at_the_end(
    logs: LogObjects, store: SometimesAway, clock: ManualClock
) -> None:
    logs.append(RUN, "a0", 1, b"one ")
    logs.append(RUN, "a0", 1, b"two ")
    await settle()
    assert await segments(store) == []
    clock.advance(FLUSH_S)
    await settle()
    assert await segments(store) == [b"one two "]
    logs.append(RUN, "a0", 1, b"end")
    logs.notify(RUN, "a0")
    await settle()
    assert await segments(store) == [b"one two ", b"end"]
    # A read ends with its segment; the next one goes on behind it.
    assert await logs.read(RUN, "a0", 1, offset=4, limit=99) == b"two "
    assert await logs.read(RUN, "a0", 1, offset=8, limit=99) == b"end"


async def test_an_attempt_whose_output_is_stored_during_a_listing_is_listed(
    logs: LogObjects, store: SometimesAway, clock: ManualClock
) -> None:
    logs.append(RUN, "a0", 1, b"output")

    async def store_it() -> None:
        clock.advance(FLUSH_S)
        await settle()
        assert await segments(store) == [b"output"]

    store.after_listing = store_it
    assert await logs.attempts(RUN, "a0") == [1]
    assert await logs.attempts(RUN, "a0") == [1]


async def test_more_attempts_than_are_remembered_may_wait_for_the_store_at_the_same_time(
    logs: LogObjects, store: SometimesAway
) -> None:
    store.away = True
    for attempt in range(1, 2100):
        logs.append(RUN, "a0", attempt, b"x")
    assert len(await logs.attempts(RUN, "a0")) == 2099


async def test_much_output_is_stored_without_waiting(logs: LogObjects, store: SometimesAway) -> None:
    logs.append(RUN, "a0", 1, b"x" * 300_000)
    await settle()
    assert [len(segment) for segment in await segments(store)] == [300_000]


async def test_the_next_leader_reads_and_goes_on_with_what_the_one_before_stored(
    logs: LogObjects, store: SometimesAway, clock: ManualClock
) -> None:
    logs.append(RUN, "a0", 1, b"before ")
    await logs.close()
    successor = LogObjects(store, clock=clock)
    assert await read(successor) == b"before "
    successor.append(RUN, "a0", 1, b"after ")
    await successor.close()
    # One that was replaced and does not know it writes over nothing.
    logs.append(RUN, "a0", 1, b"late")
    await logs.close()
    assert await segments(store) == [b"before ", b"after ", b"late"]
    assert await LogObjects(store, clock=clock).attempts(RUN, "a0") == [1]


async def test_it_is_told_what_is_stored_so_that_workers_keep_the_rest_for_the_next_leader(
    logs: LogObjects, store: SometimesAway, clock: ManualClock
) -> None:
    told: list[int] = []
    logs.on_stored = lambda run, action, attempt, position: told.append(position)
    logs.append(RUN, "a0", 1, b"stored ", position=1)
    logs.append(RUN, "a0", 2, b"of a worker that says nothing twice")
    store.away = True
    clock.advance(FLUSH_S)
    await settle()
    assert told == []
    store.away = False
    clock.advance(FLUSH_S * 2)
    await settle()
    assert told == [7]
    logs.append(RUN, "a0", 1, b"heard ", position=8)
    # It is paused, and the worker goes on with the next one.
    successor = LogObjects(store, clock=clock)
    successor.append(RUN, "a0", 1, b"heard ", position=8)
    successor.append(RUN, "a0", 1, b"later", position=14)
    await successor.close()
    # It wakes, and has not noticed yet.
    await logs.close()
    assert await segments(store, f"{PREFIX}1/") == [b"stored ", b"heard later"]


async def test_a_segment_whose_writing_was_not_answered_is_not_written_twice(
    logs: LogObjects, store: SometimesAway
) -> None:
    store.loses_answers = 1
    logs.append(RUN, "a0", 1, b"once")
    await logs.close()
    assert await segments(store) == [b"once"]


async def test_output_waits_for_a_store_that_is_away_and_beyond_a_limit_is_lost(
    store: SometimesAway, clock: ManualClock
) -> None:
    logs = LogObjects(store, clock=clock, most_unwritten_bytes=20)
    store.away = True
    logs.append(RUN, "a0", 1, b"0123456789")
    logs.append(RUN, "a0", 1, b"abcdef")
    clock.advance(FLUSH_S)
    await settle()
    logs.append(RUN, "a0", 1, b"too much")
    assert await read(logs) == b"0123456789abcdef"
    store.away = False
    clock.advance(FLUSH_S * 2)
    await settle()
    assert await segments(store) == [b"0123456789abcdef"]
    logs.append(RUN, "a0", 1, b" again")
    await logs.close()
    assert await segments(store) == [b"0123456789abcdef", b" again"]
