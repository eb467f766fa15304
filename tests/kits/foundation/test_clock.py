"""A manual clock moves only when told, and fires timers at their own moments."""

from __future__ import annotations

import asyncio

from flyteplane.foundation.clock import ManualClock, SystemClock


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(start=100.0)
    assert (clock.now(), clock.monotonic()) == (100.0, 0.0)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (102.5, 2.5)


def test_timers_fire_in_order_and_at_their_own_time() -> None:
    clock = ManualClock()
    fired: list[tuple[str, float]] = []
    for name, delay in (("late", 3.0), ("early", 1.0), ("also early", 1.0), ("never", 9.0)):
        clock.call_later(delay, lambda name=name: fired.append((name, clock.monotonic())))  # type: ignore[misc]
    clock.advance(5)
    assert fired == [("early", 1.0), ("also early", 1.0), ("late", 3.0)]
    assert clock.next_timer_at() == 9.0


def test_a_timer_set_by_a_timer_fires_in_the_same_advance() -> None:
    clock = ManualClock()
    fired: list[float] = []

    def again() -> None:
        fired.append(clock.monotonic())
        clock.call_later(1, again)

    clock.call_later(1, again)
    clock.advance(3.5)
    assert fired == [1.0, 2.0, 3.0]


def test_a_cancelled_timer_does_not_fire() -> None:
    clock = ManualClock()
    fired: list[int] = []
    clock.call_later(1, lambda: fired.append(1)).cancel()
    clock.advance(2)
    assert fired == []
    assert clock.next_timer_at() is None


def test_setting_the_wall_clock_fires_nothing() -> None:
    clock = ManualClock()
    fired: list[int] = []
    clock.call_later(10, lambda: fired.append(1))
    clock.jump(3600)
    assert fired == []
    assert clock.monotonic() == 0.0


async def test_sleeping_on_a_manual_clock() -> None:
    clock = ManualClock()
    sleeping = asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    clock.advance(4)
    await asyncio.sleep(0)
    assert not sleeping.done()
    clock.advance(1)
    await asyncio.wait_for(sleeping, 30)


async def test_a_cancelled_sleep_leaves_no_timer() -> None:
    clock = ManualClock()
    sleeping = asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    sleeping.cancel()
    await asyncio.wait([sleeping])
    assert clock.next_timer_at() is None


async def test_the_system_clock_wakes() -> None:
    clock = SystemClock()
    woken = asyncio.Event()
    clock.call_later(-1, woken.set)
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.009
    assert woken.is_set()
