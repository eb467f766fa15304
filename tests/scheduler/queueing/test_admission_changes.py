"""Admission while its configuration changes, what it refuses, and what it says."""

from __future__ import annotations

import pytest
from tests.scheduler.queueing.scenes import ANY, CORE, admission, admitted, machine, names, push

from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, ResourceExhausted
from flyteplane.scheduler.domain.queueing.classes import Demand, ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings

# --- live changes ---------------------------------------------------------------------------------------------------


def test_a_lowered_limit_ends_nothing_and_holds_for_what_comes() -> None:
    core = admission(QueueSettings(name="q", action_concurrency=3))
    push(core, *"abcd", queue="q")
    running = admitted(core)
    core.configure(queues=[QueueSettings(name="q", action_concurrency=1)])
    assert core.figures("q").running == 3
    running["a"].release()
    running["b"].release()
    assert names(core) == []
    running["c"].release()
    assert names(core) == ["d"]


def test_a_drained_queue_takes_nothing_and_admits_what_it_has() -> None:
    core = admission(QueueSettings(name="q"))
    push(core, "a", queue="q")
    core.configure(queues=[QueueSettings(name="q", draining=True)])
    refusal = core.refusal("q")
    assert isinstance(refusal, FailedPrecondition)
    assert "draining" in refusal.message
    slot = admitted(core)["a"]
    slot.release()
    refusal = core.refusal("q")
    assert refusal is not None
    assert "drained" in refusal.message
    core.configure(queues=[QueueSettings(name="q")])
    assert core.refusal("q") is None


def test_a_deleted_queue_admits_what_it_has_and_is_forgotten() -> None:
    core = admission(QueueSettings(name="q", action_concurrency=1))
    push(core, "a", "b", queue="q")
    running = admitted(core)
    core.configure(queues=[])
    assert core.queue_names() == ["default"]
    refusal = core.refusal("q")
    assert refusal is not None
    assert refusal.reason == "UNKNOWN_QUEUE"
    running["a"].release()
    running = admitted(core)
    assert list(running) == ["b"]
    running["b"].release()
    assert core.size_of_bookkeeping() == 0


def test_what_waits_for_a_deleted_class_is_mapped_anew() -> None:
    small = ResourceClass(name="small", max_cpu_millis=1000, quota_cpu_millis=1000)
    core = admission(classes=(small, ANY))
    push(core, "a", "b")
    running = admitted(core)
    assert [slot.resource_class for slot in running.values()] == ["small"]
    core.configure(classes=[ANY])
    assert {item: slot.resource_class for item, slot in core.admit(0.0)} == {"b": "any"}
    running["a"].release()


def test_what_fits_no_class_any_more_waits_and_says_so() -> None:
    core = admission()
    push(core, "a")
    core.configure(classes=[ResourceClass(name="tiny", max_cpu_millis=10)])
    assert names(core) == []
    wait = core.position("a")
    assert wait is not None
    assert (wait.kind, wait.resource_class) == ("class", "")
    core.configure(classes=[ANY])
    assert names(core) == ["a"]


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_full_queue_refuses_and_says_when_to_try_again() -> None:
    core = admission(QueueSettings(name="q", depth=2, action_concurrency=1))
    push(core, "a", "b", queue="q")
    admitted(core)["a"].lend()
    refusal = core.refusal("q")
    assert isinstance(refusal, ResourceExhausted)
    assert refusal.retry_after_s
    assert refusal.limit.startswith("2 actions")


def test_a_demand_that_fits_no_class_is_refused_with_the_list_of_classes() -> None:
    core = admission(
        classes=(
            ResourceClass(name="small", max_cpu_millis=500),
            ResourceClass(name="gpu", max_accelerators={"GPU": 1}),
        )
    )
    with pytest.raises(InvalidArgument) as refused:
        core.classify("default", CORE)
    assert refused.value.reason == "NO_CLASS_FITS"
    assert "small (cpu 0.5, any memory); gpu (any cpu, any memory, GPU 1)" in refused.value.limit


def test_memory_beyond_every_machine_is_refused() -> None:
    core = admission(clusters=(machine(2, memory_bytes=100),))
    with pytest.raises(InvalidArgument):
        core.classify("default", Demand(0, 101))


def test_an_unknown_queue_is_refused_by_name() -> None:
    refusal = admission(QueueSettings(name="q")).refusal("nowhere")
    assert refusal is not None
    assert refusal.reason == "UNKNOWN_QUEUE"
    assert "default, q" in refusal.limit


# --- the rest -------------------------------------------------------------------------------------------------------


def test_the_short_way_is_open_only_while_nobody_waits_before() -> None:
    core = admission(QueueSettings(name="q", action_concurrency=1))
    slot = core.try_admit(queue="q", project="p", run="r", demand=CORE)
    assert slot is not None
    assert core.try_admit(queue="q", project="p", run="r", demand=CORE) is None
    push(core, "a", queue="q")
    slot.release()
    assert core.try_admit(queue="q", project="p", run="r", demand=CORE) is None
    assert names(core) == ["a"]


def test_position_counts_those_whose_turn_is_earlier() -> None:
    core = admission(QueueSettings(name="q", action_concurrency=1))
    push(core, "running", queue="q", run="x")
    admitted(core)
    push(core, *(f"a{n}" for n in range(5)), queue="q", run="a")
    push(core, "b0", "b1", queue="q", run="b")
    push(core, "c0", queue="q", run="c", project="other")
    wait = core.position("b1")
    assert wait is not None
    assert (wait.kind, wait.ahead) == ("queue", 4)


def test_what_was_found_running_counts_beyond_every_limit() -> None:
    core = admission(QueueSettings(name="q", action_concurrency=1))
    slots = [
        core.occupy(queue="q", project="p", run="r", demand=CORE, resource_class="any", cluster="endless")
        for _ in range(3)
    ]
    push(core, "a", queue="q")
    assert core.figures("q").running == 3
    for slot in slots:
        assert names(core) == []
        slot.release()
    assert names(core) == ["a"]


def test_an_item_waits_once() -> None:
    core = admission()
    push(core, "a")
    with pytest.raises(ValueError, match="waits already"):
        push(core, "a")
