"""Batches of records from many producers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from flyte.extras import DynamicBatcher, Prompt, TokenBatcher


class Doubling:
    """Doubles numbers and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def __call__(self, batch: list[int]) -> Sequence[int]:
        self.batches.append(batch)
        await asyncio.sleep(0)
        return [2 * number for number in batch]


async def test_every_record_gets_its_own_result() -> None:
    async with DynamicBatcher(Doubling(), max_batch_size=4) as batcher:
        answers = await batcher.submit_batch(range(10))
        assert await asyncio.gather(*answers) == [2 * number for number in range(10)]
    assert not batcher.is_running
    assert (batcher.stats.total_submitted, batcher.stats.total_completed) == (10, 10)
    assert 0 <= batcher.stats.utilization <= 1


async def test_a_batch_has_no_more_than_its_number_and_cost() -> None:
    function = Doubling()
    async with DynamicBatcher(function, max_batch_size=3, target_batch_cost=10, cost_estimator=lambda n: n) as batcher:
        await asyncio.gather(*await batcher.submit_batch([1, 1, 1, 1, 9, 9, 20, 1]))
    assert all(len(batch) <= 3 and (sum(batch) <= 10 or len(batch) == 1) for batch in function.batches)
    assert [number for batch in function.batches for number in batch] == [1, 1, 1, 1, 9, 9, 20, 1]


async def test_stopping_answers_everything_that_was_taken_in() -> None:
    batcher = DynamicBatcher(Doubling(), min_batch_size=100, batch_timeout_s=60)
    await batcher.start()
    answers = await batcher.submit_batch([1, 2, 3])
    await batcher.stop()
    assert [answer.result() for answer in answers] == [2, 4, 6]
    with pytest.raises(RuntimeError, match="does not run"):
        await batcher.submit(4)


async def test_an_error_of_the_function_is_that_of_its_batch_only() -> None:
    async def fails_for_zero(batch: list[int]) -> list[int]:
        return [1 // number for number in batch]

    async with DynamicBatcher(fails_for_zero, max_batch_size=1) as batcher:
        answers = await batcher.submit_batch([0, 1])
        results = await asyncio.gather(*answers, return_exceptions=True)
    assert isinstance(results[0], ZeroDivisionError)
    assert results[1] == 1


async def test_a_function_that_loses_results_is_an_error() -> None:
    async def loses(batch: list[int]) -> list[int]:
        return []

    async with DynamicBatcher(loses) as batcher:
        with pytest.raises(ValueError, match="0 results for 1 records"):
            await (await batcher.submit(1))


async def test_tokens_are_the_cost_of_prompts() -> None:
    async def lengths(batch: list[Prompt]) -> list[int]:
        return [len(batch)] * len(batch)

    async with TokenBatcher(lengths, target_batch_tokens=10) as batcher:
        answers = [await batcher.submit(Prompt("x" * 24)) for _ in range(4)]
        assert await asyncio.gather(*answers) == [1, 1, 1, 1]
    with pytest.raises(TypeError, match="one function"):
        TokenBatcher()


@pytest.mark.parametrize("name", ["max_batch_size", "min_batch_size", "target_batch_cost", "max_queue_size"])
def test_sizes_below_one_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        DynamicBatcher(Doubling(), **{name: 0})  # type: ignore[arg-type]
