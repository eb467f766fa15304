"""Calls of children that wait for their results, whoever waits: the worker's loop, another loop, or a thread.

Results arrive on the main thread while the worker's loop runs, and on the pulse thread while user code has the main
thread. A waiter on the worker's loop can only be told on the main thread; any other can be told at once, and has to
be, since the main thread may itself be waiting for it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import threading
from typing import TypeAlias

from flyteapi.scheduler.v1.worker_service_pb2 import ActionResult

Waiter: TypeAlias = "asyncio.Future[ActionResult] | concurrent.futures.Future[ActionResult]"


class OutstandingCalls:
    """The calls of one attempt that have no result yet."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Waiter] = {}
        self._made: dict[tuple[bytes, bytes, str], int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def sequence(self, identity: bytes, inputs_digest: bytes, group: str) -> int:
        """How often this very call was made before; counts it."""
        key = (identity, inputs_digest, group)
        with self._lock:
            before = self._made.get(key, 0)
            self._made[key] = before + 1
        return before

    def add(self, waiter: Waiter) -> int:
        """Numbers a call; its result goes to `waiter`."""
        number = next(self._numbers)
        self._waiting[number] = waiter
        return number

    def forget(self, number: int) -> bool:
        """Nobody waits any more; False if the result was there already."""
        return self._waiting.pop(number, None) is not None

    def waits_elsewhere(self, number: int) -> bool:
        """Whether the waiter can be told from any thread."""
        waiter = self._waiting.get(number)
        return waiter is not None and not self._is_ours(waiter)

    def settle(self, result: ActionResult) -> None:
        """Gives a result to its waiter. From the main thread, or from any if `waits_elsewhere`."""
        waiter = self._waiting.pop(result.call, None)
        if waiter is None:
            return
        if isinstance(waiter, concurrent.futures.Future) or waiter.get_loop() is self._loop:
            if not waiter.done():
                waiter.set_result(result)
        else:
            _settle_on_its_loop(waiter, result)

    def cancel_all(self) -> None:
        """Ends all waiting; from the main thread."""
        while self._waiting:
            _number, waiter = self._waiting.popitem()
            if isinstance(waiter, asyncio.Future) and waiter.get_loop() is not self._loop:
                waiter.get_loop().call_soon_threadsafe(waiter.cancel)
            else:
                waiter.cancel()

    def _is_ours(self, waiter: Waiter) -> bool:
        return isinstance(waiter, asyncio.Future) and waiter.get_loop() is self._loop


def _settle_on_its_loop(waiter: asyncio.Future[ActionResult], result: ActionResult) -> None:
    def settle() -> None:
        if not waiter.done():
            waiter.set_result(result)

    try:
        waiter.get_loop().call_soon_threadsafe(settle)
    except RuntimeError:
        # User code has closed the loop on which it waited.
        return
