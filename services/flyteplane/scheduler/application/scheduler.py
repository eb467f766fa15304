"""The scheduler as a whole: its parts, put together, with one start and one end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.scheduler.application.caching import Caching
from flyteplane.scheduler.application.engine import Engine
from flyteplane.scheduler.application.intake import Intake
from flyteplane.scheduler.application.queries import Queries
from flyteplane.scheduler.application.recovery import recover
from flyteplane.scheduler.application.run_phases import RunPhases
from flyteplane.scheduler.application.tasks import Fitness, Tasks
from flyteplane.scheduler.application.watch import Watching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from flyteplane.foundation.clock import TimerClock
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.application.ports import CacheClient, FollowedLogs, Placement, Records, RunKey
    from flyteplane.scheduler.domain.admission import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a scheduler is made of."""

    records: Records
    logs: FollowedLogs
    cache: CacheClient
    clock: TimerClock
    room: Room
    fitness: Fitness


class Scheduler:
    """Owns all parts. `on_failure` is called once something failed after which memory cannot be trusted."""

    def __init__(
        self, parts: Parts, *, on_failure: Callable[[BaseException], None], engine: type[Engine] = Engine
    ) -> None:
        self.records = parts.records
        self.logs = parts.logs
        self.background = BackgroundTasks("scheduler", on_failure=lambda _, error: on_failure(error))
        self.engine = engine(
            records=parts.records, clock=parts.clock, logs=parts.logs, room=parts.room, on_failure=on_failure
        )
        self.tasks = Tasks(records=parts.records, room=parts.room, fitness=parts.fitness)
        self.caching = Caching(
            engine=self.engine,
            cache=parts.cache,
            records=parts.records,
            background=self.background,
            ready=self.engine.enqueue,
        )
        self.intake = Intake(
            engine=self.engine,
            records=parts.records,
            tasks=self.tasks,
            background=self.background,
            consider=self.caching.consider,
        )
        self.queries = Queries(engine=self.engine, records=parts.records, tasks=self.tasks)
        self.watching = Watching(engine=self.engine, records=parts.records)
        self.run_phases = RunPhases(parts.records)
        self.engine.on_submit = self.intake.submitted
        self.engine.on_declare = self.tasks.declared
        self.engine.on_ready = self.caching.resume
        self.engine.on_finish = self._finished
        self.engine.on_placed_again = lambda action: self.logs.notify(action.run.key, action.name)
        self.engine.on_run_change = lambda: self.engine.turn.after_commit(self.run_phases.changed)

    async def start(self, *, epoch: int, placements: Mapping[str, Placement], lasting: Collection[str] = ()) -> int:
        """Takes the shard over with an epoch of at least `epoch`, restores what lives; returns how many runs do.
        `lasting` names the clusters whose workers outlive this process."""
        claimed = await self.records.claim(at_least=epoch)
        self.intake.start(highest_run_id=await self.records.highest_run_id())
        self.engine.start(epoch=claimed, placements=placements, lasting=lasting)
        return await recover(engine=self.engine, records=self.records, tasks=self.tasks, consider=self.caching.consider)

    def attempt_is_over(self, key: RunKey, name: str, attempt: int) -> bool:
        """True once nothing more can be said by the attempt."""
        run = self.engine.runs.get(key)
        action = run.actions.get(name) if run is not None else None
        return action is None or action.state.phase.terminal or action.state.attempt > attempt

    def log_of_attempt(self, key: RunKey, name: str, attempt: int, *, follow: bool) -> AsyncIterator[bytes]:
        """What an attempt wrote, in pieces; with `follow` until nothing more can come."""
        return self.logs.stream(
            key,
            name,
            attempt,
            ended=lambda: not follow or self.attempt_is_over(key, name, attempt),
            changed=asyncio.Event(),
        )

    async def attempt_after(self, key: RunKey, name: str, attempt: int) -> int:
        """The attempt that came after one that is over; 0 if it was the last."""
        run = self.engine.runs.get(key)
        action = run.actions.get(name) if run is not None else None
        latest = action.state.attempt if action is not None else (await self.queries.log_attempts(key, name))[0]
        return attempt + 1 if latest > attempt else 0

    async def close(self) -> None:
        """Ends background work, and the store after what is queued is written."""
        self.engine.timers.close()
        await self.background.stop()
        await self.records.close()
        self.logs.close()

    def _finished(self, action: Action) -> None:
        self.caching.finished(action)
        key, name = action.run.key, action.name
        self.engine.turn.after_commit(lambda: self.logs.notify(key, name))
