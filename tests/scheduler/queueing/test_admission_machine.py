"""Admission against the naive reference, whatever happens to it: the same decisions in the same order, nothing lost,
nothing leaked."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.scheduler.queueing.reference import Held, Item, Reference

from flyteplane.scheduler.domain.queueing.admission import Admission
from flyteplane.scheduler.domain.queueing.classes import ClusterRoom, Demand, ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.domain.queueing.slots import Slot

QUEUES = ("default", "a", "b")
PROJECTS = ("p", "q", "r")
RUNS = 6
CLUSTERS = ("near", "far")

limits = st.sampled_from([0, 0, 1, 2, 3])
bindings = st.sampled_from([(), (), ("*",), ("near",), ("far",), ("near", "far")])
DEMANDS = (
    Demand(100),
    Demand(500, 100),
    Demand(900, 50),
    Demand(2500, 10),
    Demand(0, 300),
    Demand(300, 0, (), ("far",)),
    Demand(100, 100, (("GPU", 1),)),
    Demand(100, 100, (("GPU/A100", 2),)),
)
BUSY_CLASSES = [
    ResourceClass(name="small", max_cpu_millis=1000, quota_cpu_millis=2500),
    ResourceClass(name="any"),
    ResourceClass(name="gpu", max_accelerators={"GPU": 2}),
]
BUSY_CLUSTERS = [
    ClusterRoom(name="near", cpu_millis=3000, memory_bytes=800, accelerators={"GPU": 3}),
    ClusterRoom(name="far", cpu_millis=2600),
]
demands = st.sampled_from(DEMANDS)
queue_settings = st.lists(
    st.builds(
        QueueSettings,
        name=st.sampled_from(QUEUES),
        run_concurrency=limits,
        action_concurrency=limits,
        priority=st.sampled_from([0, 500, 510, 1000]),
        clusters=bindings,
    ),
    max_size=3,
    unique_by=lambda one: one.name,
)
class_settings = st.lists(
    st.sampled_from(
        [
            ResourceClass(name="tiny", max_cpu_millis=200),
            ResourceClass(name="small", max_cpu_millis=1000, quota_cpu_millis=1500),
            ResourceClass(name="wide", quota_memory_bytes=500),
            ResourceClass(name="near-only", max_memory_bytes=200, clusters=("near",)),
            ResourceClass(name="gpu", max_accelerators={"GPU": 2}),
        ]
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda one: one.name,
)
positions = st.integers(0, 1_000)
cluster_settings = st.sampled_from(
    [
        [ClusterRoom(name="near", cpu_millis=2000, memory_bytes=400, accelerators={"GPU": 3, "GPU/A100": 2})],
        [ClusterRoom(name="far", cpu_millis=1000), ClusterRoom(name="near", cpu_millis=3000, memory_bytes=1000)],
        [ClusterRoom(name="near", cpu_millis=700, memory_bytes=300), ClusterRoom(name="far")],
        [ClusterRoom(name="near"), ClusterRoom(name="far")],
    ]
)


class AdmissionMachine(RuleBasedStateMachine):
    """Both take the same calls; every admission is compared."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.names = 0
        self.admission: Admission[int] = Admission(ageing_per_s=1.0, reserve_after_s=float("inf"))
        self.reference = Reference(ageing=1.0)
        self.slots: list[tuple[Slot, Held]] = []
        self.configure(
            [],
            [ResourceClass(name="any"), ResourceClass(name="gpu", max_accelerators={"GPU": 2})],
            [ClusterRoom(name="near", cpu_millis=2000)],
        )

    def configure(self, queues: list[QueueSettings], classes: list[ResourceClass], clusters: list[ClusterRoom]) -> None:
        self.admission.configure(queues=queues, classes=classes, clusters=clusters)
        self.reference.classes, self.reference.clusters = classes, clusters
        self.reference.replace_queues(queues)

    @rule(
        queue=st.sampled_from(QUEUES),
        run=st.integers(0, RUNS - 1),
        demand=demands,
        waited=st.sampled_from([0.0, 0.0, 5.0, 600.0]),
        run_limit=st.sampled_from([0, 0, 1, 2]),
        needs_room=st.sampled_from([True, True, False]),
        count=st.integers(1, 4),
    )
    def push(
        self, queue: str, run: int, demand: Demand, waited: float, run_limit: int, needs_room: bool, count: int
    ) -> None:
        if queue not in self.reference.queues:
            self.reference.queues[queue] = QueueSettings(name=queue, draining=True)
        project, run_name = PROJECTS[run % 3], f"run-{run}"
        for _ in range(count):
            self.names += 1
            self.reference.join(queue, project, run_name, run_limit)
            shape = self.reference.shape_of(queue, demand, needs_room)
            item = Item(self.names, queue, project, run_name, demand, self.now - waited, self.names, needs_room, shape)
            self.reference.waiting.append(item)
            self.admission.push(
                self.names,
                queue=queue,
                project=project,
                run=run_name,
                demand=demand,
                since=item.since,
                run_limit=run_limit,
                needs_room=needs_room,
            )

    @precondition(lambda self: self.reference.waiting)
    @rule(which=positions)
    def discard(self, which: int) -> None:
        item = self.reference.waiting[which % len(self.reference.waiting)]
        self.reference.waiting.remove(item)
        assert self.admission.discard(item.name)
        assert not self.admission.discard(item.name)
        self._left(item.queue, item.run)

    @rule(most=st.sampled_from([1, 2, 100]))
    def admit(self, most: int) -> None:
        expected = self.reference.admit()
        found = self.admission.admit(self.now)
        for _ in range(most):
            ours = next(found, None)
            theirs = next(expected, None)
            assert (ours is None) == (theirs is None), (ours, theirs)
            if ours is None or theirs is None:
                return
            (name, slot), (item, held) = ours, theirs
            assert (name, slot.cluster, slot.resource_class) == (item.name, held.cluster, held.resource_class)
            self.slots.append((slot, held))

    @rule(
        queue=st.sampled_from(QUEUES),
        run=st.integers(0, RUNS - 1),
        demand=demands,
        run_limit=st.sampled_from([0, 0, 2]),
        needs_room=st.booleans(),
    )
    def try_admit(self, queue: str, run: int, demand: Demand, run_limit: int, needs_room: bool) -> None:
        project, run_name = PROJECTS[run % 3], f"run-{run}"
        slot = self.admission.try_admit(
            queue=queue, project=project, run=run_name, demand=demand, run_limit=run_limit, needs_room=needs_room
        )
        if queue not in self.reference.queues:
            assert slot is None
            return
        shape = self.reference.shape_of(queue, demand, needs_room)
        allowed = not any(one.queue == queue for one in self.reference.waiting) and self.reference.limits_allow(
            queue, run_name, run_limit
        )
        if slot is None:
            assert not allowed or needs_room
            return
        cluster = self.reference.place(shape)
        assert allowed
        assert slot.cluster == cluster
        if (queue, run_name) not in self.reference.seats:
            self.reference.join(queue, project, run_name, run_limit)
        item = Item(0, queue, project, run_name, demand, self.now, 0, needs_room, shape)
        self.slots.append((slot, self.reference.hold(item, cluster)))

    @rule(
        queue=st.sampled_from(QUEUES), run=st.integers(0, RUNS - 1), demand=demands, cluster=st.sampled_from(CLUSTERS)
    )
    def occupy(self, queue: str, run: int, demand: Demand, cluster: str) -> None:
        project, run_name = PROJECTS[run % 3], f"run-{run}"
        if queue not in self.reference.queues:
            self.reference.queues[queue] = QueueSettings(name=queue, draining=True)
        limit = self.reference.run_limits.get(run_name, 0)
        slot = self.admission.occupy(
            queue=queue,
            project=project,
            run=run_name,
            demand=demand,
            resource_class="small",
            cluster=cluster,
            run_limit=limit,
        )
        self.reference.join(queue, project, run_name, limit)
        held = Held(queue, project, run_name, demand, "small", cluster)
        self.reference.held.append(held)
        self.slots.append((slot, held))

    @precondition(lambda self: self.slots)
    @rule(which=positions)
    def release(self, which: int) -> None:
        slot, held = self.slots[which % len(self.slots)]
        self.slots.remove((slot, held))
        self.reference.held.remove(held)
        slot.release()
        slot.release()
        slot.resume()
        self._left(held.queue, held.run)

    @precondition(lambda self: self.slots)
    @rule(which=positions)
    def lend(self, which: int) -> None:
        slot, held = self.slots[which % len(self.slots)]
        held.lent = True
        slot.lend()

    @precondition(lambda self: self.slots)
    @rule(which=positions)
    def resume(self, which: int) -> None:
        slot, held = self.slots[which % len(self.slots)]
        held.lent = False
        slot.resume()

    @rule(queues=queue_settings)
    def change_queues(self, queues: list[QueueSettings]) -> None:
        self.admission.configure(queues=queues)
        self.reference.replace_queues(queues)

    @rule(classes=class_settings, clusters=cluster_settings)
    def change_classes(self, classes: list[ResourceClass], clusters: list[ClusterRoom]) -> None:
        self.admission.configure(classes=classes, clusters=clusters)
        self.reference.classes, self.reference.clusters = classes, clusters
        for name in list(self.reference.unreachable):
            # A cluster that was forgotten is reachable when it comes again.
            held = [one for one in self.reference.held if one.cluster == name]
            if name not in [one.name for one in clusters] and not held:
                self.reference.unreachable.remove(name)
        self.reference.map_anew()

    @rule(cluster=st.sampled_from(CLUSTERS), reachable=st.booleans())
    def reach(self, cluster: str, reachable: bool) -> None:
        if cluster not in [one.name for one in self.reference.clusters]:
            return
        self.admission.set_reachable(cluster, reachable)
        if cluster in self.reference.unreachable:
            self.reference.unreachable.remove(cluster)
        if not reachable:
            self.reference.unreachable.append(cluster)

    @rule(seconds=st.sampled_from([0.5, 30.0, 400.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def _left(self, queue: str, run: str) -> None:
        self.reference.leave(queue, run)
        self._forget_unknown(queue)

    def _forget_unknown(self, queue: str) -> None:
        if queue not in self.admission.queue_names() and not any(
            one.queue == queue for one in self.reference.everything()
        ):
            self.reference.queues.pop(queue, None)
            for key in [key for key in self.reference.tenants if key[0] == queue]:
                del self.reference.tenants[key]

    @invariant()
    def figures_agree(self) -> None:
        assert len(self.admission) == len(self.reference.waiting)
        for queue in QUEUES:
            figures = self.admission.figures(queue)
            assert figures.running == len(self.reference.running(queue=queue))
            assert figures.waiting == sum(one.queue == queue for one in self.reference.waiting)
            assert figures.runs == len(self.reference.runs(queue))
            assert figures.held == sum(one.queue == queue for one in self.reference.held)
        for cluster in CLUSTERS:
            used = self.reference.running(cluster=cluster)
            assert self.admission.cluster_figures(cluster).used_cpu_millis == sum(one.demand.cpu_millis for one in used)
            assert self.admission.cluster_figures(cluster).running == len(used)

    @invariant()
    def everything_that_waits_can_be_explained(self) -> None:
        for item in self.reference.waiting:
            wait = self.admission.position(item.name)
            assert wait is not None
            assert wait.message
            assert 0 <= wait.ahead < len(self.reference.waiting)

    def teardown(self) -> None:
        for item in self.reference.waiting[::2]:
            self.admission.discard(item.name)
        for slot, _ in self.slots:
            slot.release()
        self.admission.configure(
            queues=[QueueSettings(name=name) for name in QUEUES],
            classes=[ResourceClass(name="any"), ResourceClass(name="gpu", max_accelerators={"GPU": 9})],
            clusters=[ClusterRoom(name=name) for name in CLUSTERS],
        )
        for cluster in CLUSTERS:
            self.admission.set_reachable(cluster, True)
        for _, slot in self.admission.admit(self.now):
            slot.release()
        assert not self.admission
        assert self.admission.size_of_bookkeeping() == 0


AdmissionMachine.TestCase.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAdmissionMachine = AdmissionMachine.TestCase


@pytest.mark.parametrize("seed", range(12))
def test_a_long_seeded_life_agrees_with_the_reference(seed: int) -> None:
    """The same comparison on a busier platform than hypothesis makes: much waits, and little changes but load."""
    random, machine = Random(seed), AdmissionMachine()
    machine.change_queues(
        queues=[
            QueueSettings(
                name=name,
                run_concurrency=random.choice([0, 1, 2]),
                action_concurrency=random.choice([0, 2, 4]),
                priority=random.choice([0, 500, 505]),
            )
            for name in QUEUES
        ]
    )
    machine.change_classes(classes=BUSY_CLASSES, clusters=BUSY_CLUSTERS)
    limits = [random.choice([0, 0, 1, 2]) for _ in range(RUNS)]
    for _ in range(250):
        run = random.randrange(RUNS)
        machine.push(
            queue=random.choice(QUEUES),
            run=run,
            demand=random.choice(DEMANDS),
            waited=random.choice([0.0, 3.0]),
            run_limit=limits[run],
            needs_room=random.random() < 0.8,
            count=random.randint(0, 3),
        )
        machine.admit(most=random.choice([1, 3, 100]))
        for change in random.choices(
            [machine.release, machine.lend, machine.resume, machine.discard], [6, 2, 3, 1], k=3
        ):
            if machine.slots and machine.reference.waiting:
                change(which=random.randrange(1_000))
        machine.pass_time(seconds=1.0)
        machine.figures_agree()
    machine.teardown()
