"""Whether an action can be accepted at all, and what admission has to know of its needs.

Refused before anything is stored: a queue that is not there, drains or is full; a demand that no class fits; a task
that no cluster of its queue can carry out as it asks. What is found out about a task version and a queue is kept until
queues, classes or clusters change, or there is much of it: every override is a version of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from flyte.spec.names import DEFAULT_QUEUE
from flyteplane.cluster.pool_quota import refuse_beyond_quota
from flyteplane.foundation.errors import InvalidArgument, PlatformError
from flyteplane.scheduler.domain.queueing.checks import names_any

if TYPE_CHECKING:
    from flyteplane.cluster.ports import Cluster, PodConstraints
    from flyteplane.scheduler.application.living import Action, Attempt, TaskRecord
    from flyteplane.scheduler.domain.queueing.admission import Admission
    from flyteplane.scheduler.domain.queueing.classes import Demand, ResourceClass
    from flyteplane.scheduler.domain.queueing.settings import QueueSettings

#: What a class asks of pods.
ConstraintsOf = Callable[["ResourceClass | None"], "PodConstraints"]


class Site(NamedTuple):
    """Where the pool of a reusable task is."""

    cluster: str = ""
    resource_class: str = ""


NOWHERE: Final = Site()
#: Verdicts that are kept.
MOST_VERDICTS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found out about a task version in a queue."""

    demand: Demand
    """Restricted to the clusters that can carry the task out."""
    refusal: PlatformError | None = None
    site: Site = NOWHERE
    """Of a reusable task."""


class Placing:
    """Judges tasks.

    Args:
        clusters: where fresh workers are placed, by name.
        pool_clusters: where replicas of pools are placed.
        constraints_of: what a resource class asks of pods.
    """

    def __init__(
        self,
        admission: Admission[Action],
        *,
        clusters: Mapping[str, Cluster],
        pool_clusters: Collection[str],
        constraints_of: ConstraintsOf,
    ) -> None:
        self._admission = admission
        self._clusters = clusters
        self._pool_clusters = pool_clusters
        self._constraints_of = constraints_of
        self._verdicts: dict[tuple[bytes, str], Verdict] = {}

    def forget(self) -> None:
        """Queues, classes or clusters have changed."""
        self._verdicts.clear()

    def refusal(self, task: TaskRecord, queue: str, *, parent: Attempt | None = None) -> PlatformError | None:
        """Why an action of the task is not accepted in the queue now; None if it is. A queue that drains still takes
        the children of a living run that it holds something of, or what is in flight could not end well."""
        refused = self._admission.refusal(queue, parent=parent.slot if parent is not None else None)
        if refused is not None:
            drains = refused.reason == "QUEUE_DRAINING"
            if not (drains and parent is not None and self._admission.holds(queue, parent.action.run)):
                return refused
        return self._verdict(task, queue).refusal

    def demand(self, task: TaskRecord, queue: str) -> Demand:
        """What admission has to find room for."""
        return self._verdict(task, queue).demand

    def site(self, task: TaskRecord, queue: str) -> Site:
        """Where the replicas are that carry out the task's actions of a queue."""
        return self._verdict(task, queue).site

    def _verdict(self, task: TaskRecord, queue: str) -> Verdict:
        key = (task.digest, queue)
        verdict = self._verdicts.get(key)
        if verdict is None:
            if len(self._verdicts) >= MOST_VERDICTS:
                self._verdicts.clear()
            verdict = self._verdicts[key] = self._judge(task, queue)
        return verdict

    def _judge(self, task: TaskRecord, queue: str) -> Verdict:
        settings = self._admission.queue_settings(queue)
        if task.reusable:
            # What waits in a queue that is gone goes where that of the default queue does.
            return self._judge_pool(task, settings or self._admission.queue_settings(DEFAULT_QUEUE))
        if settings is None or task.asks:
            return Verdict(demand=task.demand)
        try:
            shape = self._admission.classify(queue, task.demand)
        except PlatformError as refusal:
            return Verdict(demand=task.demand, refusal=refusal)
        candidates = [name for name in self._clusters if _allowed(name, settings.clusters, shape.clusters)]
        fit, refusals = self._fit(task, shape, candidates)
        if refusals and not fit:
            return Verdict(demand=task.demand, refusal=refusals[0])
        return Verdict(demand=task.demand._replace(clusters=tuple(fit)) if refusals else task.demand)

    def _fit(
        self, task: TaskRecord, shape: ResourceClass | None, candidates: Sequence[str]
    ) -> tuple[list[str], list[PlatformError]]:
        fit: list[str] = []
        refusals: list[PlatformError] = []
        for name in candidates:
            try:
                self._clusters[name].refuse_unfit(task.spec, self._constraints_of(shape))
            except PlatformError as refusal:
                refusals.append(refusal)
            else:
                fit.append(name)
        return fit, refusals

    def _judge_pool(self, task: TaskRecord, queue: QueueSettings | None) -> Verdict:
        """The quota refuses what is submitted, and does not send away what was accepted before it was lowered."""
        if queue is None:
            return Verdict(demand=task.demand)
        try:
            cluster, shape = self._place_of_pool(task, queue)
        except PlatformError as refusal:
            return Verdict(demand=task.demand, refusal=refusal)
        beyond: PlatformError | None = None
        try:
            refuse_beyond_quota(shape, task.demand, replicas=task.spec.reuse.max_replicas, field="reusable.replicas")
        except PlatformError as refusal:
            beyond = refusal
        return Verdict(demand=task.demand, refusal=beyond, site=Site(cluster, shape.name))

    def _place_of_pool(self, task: TaskRecord, queue: QueueSettings) -> tuple[str, ResourceClass]:
        """One cluster for the whole pool: the first of the operator's file that queue, class and task allow. It does
        not depend on what is free or reachable, so that a task comes back to the same pool.

        Raises InvalidArgument if there is none.
        """
        allowed = tuple(name for name in self._pool_clusters if _allowed(name, queue.clusters))
        if not allowed:
            raise InvalidArgument(
                f"no cluster that queue {queue.name!r} may use has warm replicas",
                reason="NO_REPLICAS_THERE",
                field="queue",
                limit=f"clusters with replicas: {', '.join(self._pool_clusters) or 'none'}",
                mend='Use another queue, or call the task with override(reusable="off").',
            )
        demand = task.demand._replace(clusters=allowed)
        shape = self._admission.classify(queue.name, demand)
        fit, refusals = self._fit(task, shape, self._admission.places(queue.name, demand))
        if not fit:
            raise refusals[0]
        return fit[0], shape


def _allowed(cluster: str, *choices: Collection[str]) -> bool:
    return all(names_any(tuple(names)) or cluster in names for names in choices)
