"""The rules of admission, one by one, as an operator would tell them."""

from __future__ import annotations

from tests.scheduler.queueing.scenes import ANY, CORE, admission, admitted, machine, names, push

from flyteplane.scheduler.domain.queueing.admission import Admission
from flyteplane.scheduler.domain.queueing.classes import Demand, ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.domain.queueing.slots import Slot

# --- order ----------------------------------------------------------------------------------------------------------


def test_projects_take_turns_however_much_one_of_them_has_waiting() -> None:
    core = admission()
    push(core, *(f"many-{n}" for n in range(100)), project="many", run="a")
    push(core, "few-0", "few-1", project="few", run="b")
    assert names(core)[:5] == ["many-0", "few-0", "many-1", "few-1", "many-2"]


def test_runs_of_a_project_take_turns_and_each_keeps_its_own_order() -> None:
    core = admission()
    push(core, "a0", "a1", "a2", run="a")
    push(core, "b0", "b1", run="b")
    assert names(core) == ["a0", "b0", "a1", "b1", "a2"]


def test_a_project_that_was_served_in_one_shape_waits_for_its_turn_in_all() -> None:
    core = admission(clusters=(machine(4),))
    push(core, "p-small", project="p", run="a", demand=Demand(100))
    push(core, "p-large", project="p", run="b", demand=Demand(200))
    push(core, "q-large", project="q", run="c", demand=Demand(200))
    assert names(core) == ["p-small", "q-large", "p-large"]


def test_projects_take_turns_over_shapes_that_all_have_room() -> None:
    core = admission()
    push(core, "p-small-0", "p-small-1", project="p", run="a", demand=Demand(100))
    push(core, "q-large", project="q", run="b", demand=Demand(200))
    assert names(core) == ["p-small-0", "q-large", "p-small-1"]


def test_a_higher_priority_is_admitted_first_and_ends_nothing_that_runs() -> None:
    core = admission(
        QueueSettings(name="low", priority=0), QueueSettings(name="high", priority=1000), clusters=(machine(1),)
    )
    push(core, "l0", "l1", queue="low")
    running = admitted(core)
    push(core, "h0", queue="high")
    assert names(core) == []
    running["l0"].release()
    assert names(core) == ["h0"]


def test_waiting_raises_a_low_priority_above_a_high_one() -> None:
    core = admission(
        QueueSettings(name="low", priority=0), QueueSettings(name="high", priority=1000), clusters=(machine(1),)
    )
    push(core, "high-late", queue="high", since=1001.0)
    push(core, "low-early", queue="low", since=0.0)
    assert names(core, now=1001.0) == ["low-early"]


def test_a_priority_is_not_overtaken_before_its_time() -> None:
    core = admission(
        QueueSettings(name="low", priority=0), QueueSettings(name="high", priority=1000), clusters=(machine(1),)
    )
    push(core, "high-late", queue="high", since=999.0)
    push(core, "low-early", queue="low", since=0.0)
    assert names(core, now=999.0) == ["high-late"]


# --- limits ---------------------------------------------------------------------------------------------------------


def test_action_concurrency_counts_what_runs_and_not_parents_that_wait() -> None:
    core = admission(QueueSettings(name="q", action_concurrency=1))
    push(core, "parent", "child", "other", queue="q")
    parent = admitted(core)["parent"]
    assert names(core) == []
    parent.lend()
    child = admitted(core)["child"]
    assert names(core) == []
    child.release()
    parent.resume()
    assert names(core) == []
    parent.release()
    assert names(core) == ["other"]


def test_chains_of_parents_in_a_queue_of_one_action_come_to_an_end() -> None:
    core = admission(QueueSettings(name="q", action_concurrency=1, run_concurrency=1), clusters=(machine(1),))
    chain = []
    for depth in range(50):
        push(core, f"level-{depth}", queue="q")
        slot = admitted(core)[f"level-{depth}"]
        slot.lend()
        chain.append(slot)
    for slot in reversed(chain):
        slot.resume()
        slot.release()
    assert core.figures("q").held == 0
    assert core.size_of_bookkeeping() == 0


def test_run_concurrency_lets_runs_that_hold_a_slot_go_on_and_keeps_others_out() -> None:
    core = admission(QueueSettings(name="q", run_concurrency=1))
    push(core, "a0", "a1", queue="q", run="a")
    push(core, "b0", queue="q", run="b")
    running = admitted(core)
    assert list(running) == ["a0", "a1"]
    running["a0"].release()
    running["a1"].lend()
    assert names(core) == [], "a parent that waits keeps the slot of its run"
    running["a1"].release()
    assert names(core) == ["b0"]


def test_a_limit_of_a_run_holds_over_all_queues_and_keeps_no_other_run_waiting() -> None:
    core = admission(QueueSettings(name="q"))
    push(core, "a0", "a1", run="a", run_limit=2)
    push(core, "a2", queue="q", run="a", run_limit=2)
    push(core, "b0", run="b")
    running = admitted(core)
    assert sorted(running) == ["a0", "a1", "b0"]
    running["a0"].lend()
    assert names(core) == ["a2"]


def test_an_attempt_that_ends_makes_way_for_the_next_of_a_limited_run() -> None:
    core = admission()
    push(core, "a", "b", run_limit=1)
    running = admitted(core)
    assert names(core) == []
    running["a"].release()
    assert names(core) == ["b"]


def test_what_waited_for_quota_may_have_to_wait_for_the_cluster_next() -> None:
    small = ResourceClass(name="small", max_cpu_millis=1000, quota_cpu_millis=1000)
    core = admission(classes=(small, ANY), clusters=(machine(3),))
    push(core, "first", "waiting")
    push(core, "filling", demand=Demand(1_900), run="x")
    running = admitted(core)
    assert list(running) == ["first", "filling"]
    core.occupy(queue="default", project="p", run="y", demand=CORE, cluster="machine")
    running["first"].release()
    assert names(core) == []
    wait = core.position("waiting")
    assert wait is not None
    assert wait.kind == "cluster"
    running["filling"].release()
    assert names(core) == ["waiting"]


def test_a_quota_of_a_class_is_kept_and_other_classes_go_on() -> None:
    small = ResourceClass(name="small", max_cpu_millis=500, quota_cpu_millis=1000)
    core = admission(classes=(small, ANY))
    push(core, "s0", "s1", "s2", demand=Demand(500))
    push(core, "large", demand=CORE)
    running = admitted(core)
    assert list(running) == ["s0", "s1", "large"]
    assert core.class_figures("small").used_cpu_millis == 1000
    wait = core.position("s2")
    assert wait is not None
    assert (wait.kind, wait.resource_class) == ("class", "small")
    running["s0"].release()
    assert names(core) == ["s2"]


def test_what_runs_on_pools_needs_no_room_and_counts_in_its_queue() -> None:
    core = admission(QueueSettings(name="q", action_concurrency=2), clusters=(machine(1),))
    push(core, "w0", "w1", "w2", queue="q", needs_room=False, demand=Demand(9_000))
    running = admitted(core)
    assert list(running) == ["w0", "w1"]
    assert (running["w0"].cluster, running["w0"].resource_class) == ("", "")
    assert core.cluster_figures("machine").running == 0


def test_more_cpu_than_the_machine_has_gets_the_whole_machine_alone() -> None:
    core = admission(clusters=(machine(2),))
    push(core, "huge", demand=Demand(8_000), run="a")
    push(core, "small", run="b")
    running = admitted(core)
    assert list(running) == ["huge"]
    running["huge"].release()
    assert names(core) == ["small"]


def test_a_parent_takes_its_room_back_beyond_the_capacity_and_nothing_comes_until_it_has_fallen() -> None:
    core = admission(clusters=(machine(1),))
    push(core, "parent", "child", "next")
    parent = admitted(core)["parent"]
    parent.lend()
    child = admitted(core)["child"]
    parent.resume()
    assert core.cluster_figures("machine").used_cpu_millis == 2000
    child.release()
    assert names(core) == []
    parent.release()
    assert names(core) == ["next"]


# --- clusters -------------------------------------------------------------------------------------------------------


def test_the_cluster_with_the_most_free_room_is_taken_and_the_first_of_equals() -> None:
    core = admission(clusters=(machine(2, name="one"), machine(2, name="two")))
    push(core, *(f"i{n}" for n in range(5)))
    assert [slot.cluster for slot in admitted(core).values()] == ["one", "two", "one", "two"]


def test_a_cluster_that_cannot_be_reached_gets_nothing_new_until_it_can() -> None:
    core = admission(clusters=(machine(4, name="one"), machine(1, name="two")))
    core.set_reachable("one", False)
    push(core, "a", "b")
    assert {item: slot.cluster for item, slot in core.admit(0.0)} == {"a": "two"}
    wait = core.position("b")
    assert wait is not None
    assert wait.kind == "cluster"
    assert "'one' cannot be reached" in wait.message
    core.set_reachable("one", True)
    assert {item: slot.cluster for item, slot in core.admit(0.0)} == {"b": "one"}


def test_a_queue_that_is_bound_to_a_cluster_uses_no_other() -> None:
    core = admission(
        QueueSettings(name="bound", clusters=("two",)), clusters=(machine(9, name="one"), machine(1, name="two"))
    )
    push(core, "a", "b", queue="bound")
    push(core, "free")
    assert {item: slot.cluster for item, slot in core.admit(0.0)} == {"a": "two", "free": "one"}


# --- large demands --------------------------------------------------------------------------------------------------


def stream(core: Admission[str], running: list[Slot], *, until: str, step_s: float, most: int) -> float | None:
    """Small items arrive whenever one ends; the time at which `until` was admitted."""
    now = 0.0
    for number in range(most):
        now += step_s
        running.pop(0).release()
        push(core, f"small-{number}", run=f"stream-{number}", since=now)
        for item, slot in core.admit(now):
            running.append(slot)
            if item == until:
                return now
    return None


def test_a_large_demand_is_placed_within_its_time_though_small_ones_keep_coming() -> None:
    core = admission(clusters=(machine(4),))
    push(core, "s0", "s1", "s2", "s3", run="s")
    running = list(admitted(core).values())
    push(core, "large", run="large", demand=Demand(4_000))
    at = stream(core, running, until="large", step_s=1.0, most=300)
    assert at is not None
    assert 60.0 <= at <= 70.0


def test_a_reservation_of_somebody_who_waits_no_more_holds_nobody_back() -> None:
    core = admission(clusters=(machine(2),))
    push(core, "s0", "s1", run="s")
    running = admitted(core)
    push(core, "large", run="large", demand=Demand(2_000))
    assert names(core, 1.0) == []
    running["s0"].release()
    push(core, "later", run="x")
    assert names(core, 100.0) == []
    wait = core.position("later")
    assert wait is not None
    assert "waited longer" in wait.message
    core.discard("large")
    assert names(core, 100.0) == ["later"]


def test_a_large_demand_of_a_queue_that_is_full_reserves_nothing() -> None:
    core = admission(QueueSettings(name="q", action_concurrency=1), clusters=(machine(4),))
    push(core, "holder", queue="q", needs_room=False)
    push(core, "s0", run="s", demand=Demand(3_000))
    running = admitted(core)
    push(core, "large", queue="q", run="large", demand=Demand(4_000))
    assert names(core, 0.0) == []
    push(core, "small", run="x")
    assert names(core, 500.0) == ["small"]
    running["holder"].release()
    assert names(core, 500.0) == []


def test_a_reservation_lapses_when_the_queue_of_its_holder_is_full() -> None:
    core = admission(QueueSettings(name="q", action_concurrency=1), clusters=(machine(4),))
    push(core, "s0", run="s", demand=Demand(3_000))
    admitted(core)
    push(core, "large", queue="q", run="large", demand=Demand(4_000))
    assert names(core, 0.0) == []
    push(core, "small", run="x")
    assert names(core, 100.0) == [], "the room is kept for the large one"
    pool = core.occupy(queue="q", project="p", run="y")
    assert names(core, 101.0) == ["small"]
    pool.release()


def test_claims_to_quota_and_cluster_do_not_wait_for_each_other() -> None:
    classes = (
        ResourceClass(name="narrow", max_cpu_millis=3_000, quota_cpu_millis=3_000),
        ResourceClass(name="wide"),
    )
    core = admission(clusters=(machine(4),), classes=classes)
    push(core, "a", "b", "c", run="s")
    running = list(admitted(core).values())
    push(core, "all-quota", run="x", demand=Demand(3_000))
    assert names(core, 1.0) == []
    push(core, "all-cluster", run="y", demand=Demand(4_000))
    assert names(core, 2.0) == []
    assert names(core, 90.0) == []
    for slot in running:
        slot.release()
    assert names(core, 91.0) == ["all-quota"]
