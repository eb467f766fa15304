"""Methods that block in scripts and are awaited in coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from flyte.syncify import EitherIteratorMethod, EitherMethod, syncify


class Counter:
    """Counts to its number."""

    def __init__(self, number: int) -> None:
        self.number = number

    @EitherMethod
    async def last(self, *, times: int = 1) -> int:
        """Return the number, so many times."""
        await asyncio.sleep(0)
        return self.number * times

    @EitherIteratorMethod
    async def all(self) -> AsyncIterator[int]:
        """Yield every number."""
        for number in range(self.number):
            yield number

    @syncify
    @classmethod
    async def of(cls, number: int) -> Counter:
        return cls(number)

    @syncify
    @staticmethod
    async def half(number: int) -> int:
        return number // 2


def test_a_script_calls_them() -> None:
    assert Counter(3).last(times=2) == 6
    assert list(Counter(3).all()) == [0, 1, 2]


async def test_a_coroutine_awaits_them() -> None:
    assert await Counter(3).last(times=2) == 6
    assert [number async for number in Counter(3).all()] == [0, 1, 2]
    assert await Counter(3).last.aio() == 3


def test_class_and_static_methods_have_both_faces() -> None:
    assert Counter.of(4).number == 4
    assert Counter.half(4) == 2
    assert asyncio.run(Counter.of.aio(5)).number == 5
    assert asyncio.run(Counter.half.aio(5)) == 2
