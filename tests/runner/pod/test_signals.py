"""Signals of a process reach its loop, in their order, and do what they always did afterwards."""

from __future__ import annotations

import asyncio
import signal

from flyte.runner.pod.signals import Signals


async def test_a_signal_that_was_held_back_is_heard_once_somebody_listens() -> None:
    heard = asyncio.Event()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    # To this thread: another one, left by a test before, does not hold it back, and would end the process.
    signal.raise_signal(signal.SIGUSR1)
    signals = Signals({signal.SIGUSR1: heard.set})
    try:
        async with asyncio.timeout(20):
            await heard.wait()
    finally:
        signals.close()
    assert signal.SIGUSR1 not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


async def test_signals_call_their_functions_on_the_loop_in_the_order_in_which_they_came() -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    signals = Signals(
        {signal.SIGUSR1: lambda: heard.put_nowait("one"), signal.SIGUSR2: lambda: heard.put_nowait("two")}
    )
    try:
        for numbers, expected in (
            ((signal.SIGUSR2, signal.SIGUSR1), ["two", "one"]),
            ((signal.SIGUSR1, signal.SIGUSR2), ["one", "two"]),
        ):
            for number in numbers:
                signal.raise_signal(number)
            async with asyncio.timeout(20):
                assert [await heard.get(), await heard.get()] == expected
    finally:
        signals.close()
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    assert signal.set_wakeup_fd(-1) == -1
