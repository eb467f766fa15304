"""Looks for actions that nothing will move any more, by level: there should be none, and an alert says when there are.

Whoever has not ended is held by something: an attempt, a place in a queue, a timer, or the cache. What two looks in a
row find in the very same state with nothing that holds it is stuck. Looking never changes anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from flyteplane.observe import get_logger
from flyteplane.scheduler.application.cache_keys import is_cached
from flyteplane.scheduler.application.observing import facts_of
from flyteplane.scheduler.domain.phases import Phase

if TYPE_CHECKING:
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.scheduler.application.engine import Engine
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.domain.state import ActionState

_log = get_logger("scheduler.auditing")

#: Between two looks.
INTERVAL_S: Final = 15.0
#: Actions that are looked at before others have their turn on the loop.
PIECE: Final = 2_000


class Audit:
    """Counts what is stuck in `engine.figures.stuck`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._suspects: dict[Action, ActionState] = {}

    async def run_for_ever(self, *, clock: TimerClock) -> None:
        """Look again and again."""
        while True:
            await clock.sleep(INTERVAL_S)
            await self.look()

    async def look(self) -> None:
        """Look at everything once."""
        before, self._suspects = self._suspects, {}
        stuck = 0
        async for action in self._living():
            if self._is_held(action):
                continue
            self._suspects[action] = action.state
            if before.get(action) is action.state:
                stuck += 1
                _log.error("action_is_stuck", **facts_of(action), phase=action.state.phase.name)
        self._engine.figures.stuck = stuck

    async def _living(self) -> AsyncIterator[Action]:
        for run in list(self._engine.runs.values()):
            names = list(run.actions)
            for first in range(0, len(names), PIECE):
                for name in names[first : first + PIECE]:
                    action = run.actions.get(name)
                    if action is not None and not action.state.phase.terminal:
                        yield action
                await asyncio.sleep(0)

    def _is_held(self, action: Action) -> bool:
        state = action.state
        if state.phase is not Phase.QUEUED:
            return action.attempt is not None and self._engine.attempts.get(state.lease) is action.attempt
        if action in self._engine.admission or any(timer.kind == "retry" for timer in action.timers):
            return True
        # Looked up, or waiting for another's computation: the cache client has deadlines of its own.
        return is_cached(action)
