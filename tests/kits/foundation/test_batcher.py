"""A batcher gives its reader everything that queued, in order and bounded."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyteplane.foundation.batcher import Batcher
from flyteplane.foundation.errors import ResourceExhausted, Unavailable


async def test_an_idle_reader_gets_the_first_item_at_once_and_the_rest_together() -> None:
    batcher: Batcher[int] = Batcher()
    reading = asyncio.create_task(batcher.take())
    await asyncio.sleep(0)
    batcher.put_nowait(1)
    assert await reading == [1]
    batcher.put_nowait(2)
    batcher.put_many_nowait([3, 4])
    assert await batcher.take() == [2, 3, 4]


async def test_a_batch_is_bounded() -> None:
    batcher: Batcher[int] = Batcher(most=3)
    batcher.put_many_nowait(range(8))
    assert [await batcher.take(), await batcher.take(), await batcher.take()] == [[0, 1, 2], [3, 4, 5], [6, 7]]


async def test_a_full_queue_refuses_and_says_its_limit() -> None:
    batcher: Batcher[int] = Batcher("the inbox", capacity=2)
    batcher.put_nowait(1)
    with pytest.raises(ResourceExhausted) as raised:
        batcher.put_many_nowait([2, 3])
    assert raised.value.reason == "QUEUE_FULL"
    assert "the inbox" in raised.value.message
    batcher.put_nowait(2)
    with pytest.raises(ResourceExhausted):
        batcher.put_nowait(3)
    assert batcher.take_nowait() == [1, 2]
    assert batcher.take_nowait() == []


async def test_a_waiting_writer_goes_on_when_there_is_room() -> None:
    batcher: Batcher[int] = Batcher(capacity=1)
    batcher.put_nowait(0)
    writers = [asyncio.create_task(batcher.put(number)) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    taken: list[int] = []
    while len(taken) < 4:
        taken += await asyncio.wait_for(batcher.take(), 30)
    assert taken == [0, 1, 2, 3]
    await asyncio.gather(*writers)


async def test_a_cancelled_writer_passes_its_room_on() -> None:
    batcher: Batcher[int] = Batcher(capacity=1)
    batcher.put_nowait(0)
    first, second = asyncio.create_task(batcher.put(1)), asyncio.create_task(batcher.put(2))
    await asyncio.sleep(0)
    assert batcher.take_nowait() == [0]
    first.cancel()
    await asyncio.wait([first, second], timeout=1)
    assert second.done()
    assert batcher.take_nowait() == [2]


async def test_closing_gives_what_waits_and_then_nothing() -> None:
    batcher: Batcher[int] = Batcher()
    batcher.put_nowait(1)
    batcher.close()
    with pytest.raises(Unavailable):
        batcher.put_nowait(2)
    assert [batch async for batch in batcher] == [[1]]
    assert await batcher.take() == []


async def test_closing_wakes_the_reader() -> None:
    batcher: Batcher[int] = Batcher()
    reading = asyncio.create_task(batcher.take())
    await asyncio.sleep(0)
    batcher.close()
    assert await asyncio.wait_for(reading, 30) == []


async def test_a_cancelled_reader_loses_nothing() -> None:
    batcher: Batcher[int] = Batcher()
    reading = asyncio.create_task(batcher.take())
    await asyncio.sleep(0)
    batcher.put_nowait(1)
    reading.cancel()
    await asyncio.wait([reading])
    assert batcher.take_nowait() == [1]


async def test_two_readers_are_a_mistake() -> None:
    batcher: Batcher[int] = Batcher()
    reading = asyncio.create_task(batcher.take())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        await batcher.take()
    reading.cancel()


@given(st.lists(st.lists(st.integers(), max_size=5), max_size=10), st.integers(min_value=1, max_value=7))
def test_nothing_is_lost_or_reordered(puts: list[list[int]], most: int) -> None:
    async def scenario() -> list[int]:
        batcher: Batcher[int] = Batcher(most=most)
        for items in puts:
            batcher.put_many_nowait(items)
        batcher.close()
        return [item async for batch in batcher for item in batch]

    assert asyncio.run(scenario()) == [item for items in puts for item in items]
