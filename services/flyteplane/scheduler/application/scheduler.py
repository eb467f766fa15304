"""The scheduler as a whole: its parts, put together, with one start and one end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flyteplane.cluster.requests import constraints_of
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.observe import Reading
from flyteplane.observe.spans import NoSpans, Spans
from flyteplane.scheduler.application.administration import Administration
from flyteplane.scheduler.application.caching import Caching
from flyteplane.scheduler.application.conditions import Conditions, Signals
from flyteplane.scheduler.application.engine import Engine
from flyteplane.scheduler.application.engine_hooks import EngineHooks
from flyteplane.scheduler.application.intake import Intake
from flyteplane.scheduler.application.live_admission import EngineAdmission
from flyteplane.scheduler.application.observing import RunTracing, queue_readings
from flyteplane.scheduler.application.placing import Placing
from flyteplane.scheduler.application.queries import Queries
from flyteplane.scheduler.application.recovery import recover
from flyteplane.scheduler.application.run_phases import RunPhases
from flyteplane.scheduler.application.stored_output import told_by
from flyteplane.scheduler.application.tasks import Tasks
from flyteplane.scheduler.application.watch import Watching
from flyteplane.scheduler.domain.definitions import NO_ENTRIES, Entries
from flyteplane.scheduler.domain.queueing.admission import Admission
from flyteplane.scheduler.domain.queueing.classes import ClusterRoom

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from flyteplane.cluster.ports import Cluster
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.observe import DistributionReading
    from flyteplane.scheduler.application.administration_ports import AdministrationRecords
    from flyteplane.scheduler.application.living import Action
    from flyteplane.scheduler.application.ports import CacheClient, FollowedLogs, Placement, Records, RunKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a scheduler is made of."""

    records: Records
    logs: FollowedLogs
    cache: CacheClient
    clock: TimerClock
    administration: AdministrationRecords
    clusters: Sequence[Cluster]
    """In the operator's order."""
    pool_clusters: Collection[str]
    """Where replicas of pools are placed."""
    data_prefix: str = ""
    """Under which attempts keep data, unless their run says otherwise."""
    file: Entries = NO_ENTRIES
    """Queues and classes of the operator's file."""
    spans: Spans = field(default_factory=NoSpans)
    """Takes what is told of traced runs."""
    hold_s: float = 0.0
    """How long a change may wait for others to be written with, for which nobody waits."""


class Scheduler:
    """Owns all parts. `on_failure` is called once something failed after which memory cannot be trusted."""

    def __init__(
        self, parts: Parts, *, on_failure: Callable[[BaseException], None], engine: type[Engine] = Engine
    ) -> None:
        self.records = parts.records
        self.logs = parts.logs
        self.background = BackgroundTasks("scheduler", on_failure=lambda _, error: on_failure(error))
        self.admission: Admission[Action] = Admission()
        self.engine = engine(
            records=parts.records,
            clock=parts.clock,
            logs=parts.logs,
            admission=self.admission,
            on_failure=on_failure,
            hold_s=parts.hold_s,
        )
        self.tasks = Tasks(records=parts.records, store=self.engine.turn.keep_task)
        self._tracing = RunTracing(parts.spans)
        self.on_reconfigured: Callable[[], None] = lambda: None
        """Called when queues or classes have changed."""
        self._clusters = parts.clusters
        self._unreachable: set[str] = set()
        self.placing = Placing(
            self.admission,
            clusters={cluster.name: cluster for cluster in parts.clusters},
            pool_clusters=parts.pool_clusters,
            constraints_of=constraints_of,
        )
        self.administration = Administration(
            parts.administration,
            live=EngineAdmission(self.admission, changed=self._reconfigured),
            clusters=[_room_of(cluster) for cluster in parts.clusters],
            clock=parts.clock,
            file=parts.file,
        )
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
            refusal=self.placing.refusal,
        )
        self.queries = Queries(
            engine=self.engine, records=parts.records, tasks=self.tasks, data_prefix=parts.data_prefix
        )
        self.signal = Signals(engine=self.engine, queries=self.queries)
        self.watching = Watching(engine=self.engine, records=parts.records)
        self.run_phases = RunPhases(parts.records)
        self.engine.connect(self._hooks())
        self.logs.on_stored = told_by(self.engine)
        self.engine.turn.on_durable = self.administration.figures_changed.ring

    def _hooks(self) -> EngineHooks:
        return EngineHooks(
            demand_of=self.placing.demand,
            site_of=self.placing.site,
            may_begin=self.caching.serialized.may_begin,
            on_ready=self.caching.resume,
            on_taken_over=self.caching.serialized.adopted,
            on_placed_again=lambda action: self.logs.notify(action.run.key, action.name),
            on_submit=self.intake.submitted,
            on_declare=self.tasks.declared,
            on_finish=self._finished,
            on_run_change=lambda: self.engine.turn.after_commit(self.run_phases.changed),
        )

    async def start(self, *, epoch: int, placements: Mapping[str, Placement]) -> int:
        """Takes the lead with an epoch of at least `epoch`, restores what lives; returns how many runs do."""
        claimed = await self.records.claim(at_least=epoch)
        self.intake.start(highest_run_id=await self.records.highest_run_id())
        await self.administration.open(epoch=claimed)
        lasting = {cluster.name for cluster in self._clusters if cluster.outlives_owner}
        every = {**placements, "conditions": Conditions(self.engine)}
        self.engine.start(epoch=claimed, placements=every, lasting=lasting)
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
        await self.administration.close()
        await self.background.stop()
        await self.records.close()
        await self.logs.close()

    def cluster_reachable(self, cluster: str, yes: bool) -> None:
        """Says whether a cluster can be asked: one that cannot gets nothing new."""
        self.admission.set_reachable(cluster, yes)
        if yes is (cluster in self._unreachable):
            self._unreachable ^= {cluster}
            self.administration.figures_changed.ring()
        if yes and self.admission:
            self.engine.turn.schedule()

    def _reconfigured(self) -> None:
        self.placing.forget()
        self.on_reconfigured()
        if self.admission:
            self.engine.turn.schedule()

    def _finished(self, action: Action) -> None:
        self.caching.finished(action)
        self.engine.figures.finished(action.state)
        self.engine.turn.after_commit(lambda: self._ended(action))

    def _ended(self, action: Action) -> None:
        """The end of the action is durable."""
        self.logs.notify(action.run.key, action.name)
        self._tracing.finished(action)

    def readings(self) -> Iterator[Reading | DistributionReading]:
        """What is counted, for Prometheus."""
        yield from self.engine.figures.readings()
        yield from queue_readings(self.admission)
        yield Reading("runs", "Runs that have not ended.", len(self.engine.runs))


def _room_of(cluster: Cluster) -> ClusterRoom:
    capacity = cluster.capacity()
    return ClusterRoom(
        name=cluster.name,
        cpu_millis=capacity.cpu_millis,
        memory_bytes=capacity.memory_bytes,
        has_nodes=cluster.kind != "process",
    )
