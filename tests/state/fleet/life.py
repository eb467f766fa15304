"""Whether a process lives: it may be killed between any two of its effects, and paused at any moment.

Whatever reaches a process from outside (timers, messages, answers) passes its `Life`. What reaches a dead one is
dropped; what reaches a paused one waits until it goes on. An effect of a dead process does not happen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import Unavailable

T = TypeVar("T")


class Life:
    """One life of a process, from its start to its death."""

    def __init__(self) -> None:
        self.dead = False
        self.paused = False
        self.fuse = 0
        """Moments around effects until something happens to it; 0: nothing does."""
        self.fuse_for = ""
        """Only effects of this name count; empty: all."""
        self.on_burnt: Callable[[], None] = lambda: None
        """What happens then."""
        self.died: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._backlog: list[Callable[[], object]] = []
        self._awake = asyncio.Event()
        self._awake.set()

    def do(self, callback: Callable[[], object]) -> None:
        """Something reaches the process."""
        if self.dead:
            return
        if self.paused:
            self._backlog.append(callback)
        else:
            callback()

    async def effect(self, work: Callable[[], Awaitable[T]], *, name: str = "") -> T:
        """Something that the process does to the outside, and the answer that it gets."""
        self._burn(name)
        await self._awake.wait()
        self._refuse_dead()
        outcome = await work()
        self._burn(name)
        await self._awake.wait()
        self._refuse_dead()
        return outcome

    def pause(self) -> None:
        """The process stands still."""
        self.paused = True
        self._awake.clear()

    def go_on(self) -> None:
        """It goes on, and does not know that time has passed."""
        if not self.paused:
            return
        self.paused = False
        self._awake.set()
        backlog, self._backlog = self._backlog, []
        for callback in backlog:
            self.do(callback)

    def die(self) -> None:
        """The process is killed."""
        self.dead = True
        self._backlog.clear()
        self._awake.set()
        if not self.died.done():
            self.died.set_result(None)

    def _burn(self, name: str) -> None:
        if self.fuse and not self.dead and self.fuse_for in ("", name):
            self.fuse -= 1
            if not self.fuse:
                self.on_burnt()

    def _refuse_dead(self) -> None:
        if self.dead:
            raise Unavailable("this process is dead")


class _Timer:
    __slots__ = ("_fire", "_life")

    def __init__(self, life: Life, fire: Callable[[], object]) -> None:
        self._life = life
        self._fire: Callable[[], object] | None = fire

    def cancel(self) -> None:
        self._fire = None

    def due(self) -> None:
        self._life.do(self._run)

    def _run(self) -> None:
        fire, self._fire = self._fire, None
        if fire is not None:
            fire()


class LifeClock:
    """Implements `TimerClock` for one process: its timers are late after a pause, its wall clock may be wrong."""

    def __init__(self, clock: ManualClock, life: Life) -> None:
        self._clock = clock
        self._life = life
        self.off_by_s = 0.0

    def now(self) -> float:
        """See the port."""
        return self._clock.now() + self.off_by_s

    def monotonic(self) -> float:
        """See the port."""
        return self._clock.monotonic()

    def call_later(self, delay_s: float, callback: Callable[[], object]) -> _Timer:
        """See the port."""
        timer = _Timer(self._life, callback)
        self._clock.call_later(delay_s, timer.due)
        return timer

    async def sleep(self, delay_s: float) -> None:
        """See the port."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(delay_s, lambda: None if woken.done() else woken.set_result(None))
        try:
            await woken
        finally:
            timer.cancel()
