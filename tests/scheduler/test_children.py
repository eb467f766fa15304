"""Children: results, derived names, retried parents, aborts of subtrees."""

from tests.scheduler.harness import Bench, settle, task

from flyteplane.cluster.ports import ClusterCapacity
from flyteplane.scheduler.application.ports import EVERY_ACTION
from flyteplane.scheduler.domain.phases import Phase


async def test_a_parent_is_given_the_result_of_its_child(bench: Bench) -> None:
    await bench.submit(task("env.parent"))
    lease = await bench.call("a0", "c1", task("env.child"), number=7)
    await bench.succeed("c1", b"from child")
    assert bench.results(lease) == [(7, Phase.SUCCEEDED, b"from child")]


async def test_a_parent_is_given_the_error_of_its_child(bench: Bench) -> None:
    await bench.submit(task("env.parent"))
    lease = await bench.call("a0", "c1", task("env.child"))
    await bench.fail("c1")
    results = [order.result for order in bench.workers.sent[lease] if order.HasField("result")]
    assert Phase(results[0].phase) is Phase.FAILED
    assert results[0].error.code == "ValueError"


async def test_two_calls_of_one_name_run_once(bench: Bench) -> None:
    await bench.submit(task("env.parent"))
    await bench.call("a0", "c1", task("env.child"), number=1)
    lease = await bench.call("a0", "c1", task("env.child"), number=2)
    await bench.succeed("c1", b"v")
    assert sorted(bench.results(lease)) == [(1, Phase.SUCCEEDED, b"v"), (2, Phase.SUCCEEDED, b"v")]
    assert [action.name for _, action in bench.workers.placed] == ["a0", "c1"]


async def test_a_retried_parent_gets_finished_children_without_running_them_again(bench: Bench) -> None:
    await bench.submit(task("env.parent", retries=1))
    await bench.call("a0", "c1", task("env.child"))
    await bench.succeed("c1", b"once")
    await bench.fail("a0")
    await bench.advance(60)
    lease = await bench.call("a0", "c1", task("env.child"))
    await settle()
    assert bench.results(lease) == [(1, Phase.SUCCEEDED, b"once")]
    assert [action.name for _, action in bench.workers.placed].count("c1") == 1


async def test_a_retried_parent_joins_a_child_that_still_runs(bench: Bench) -> None:
    await bench.submit(task("env.parent", retries=1))
    await bench.call("a0", "c1", task("env.child"))
    await bench.fail("a0")
    await bench.advance(60)
    lease = await bench.call("a0", "c1", task("env.child"))
    await bench.succeed("c1", b"v")
    assert bench.results(lease) == [(1, Phase.SUCCEEDED, b"v")]


async def test_the_end_of_a_parent_ends_what_runs_below_it(bench: Bench) -> None:
    key = await bench.submit(task("env.root"))
    await bench.call("a0", "p", task("env.parent"))
    await bench.call("p", "c", task("env.child"))
    child = bench.workers.lease_of("c")
    await bench.succeed("p")
    assert await bench.phase(key, "c") is Phase.ABORTED
    assert child in bench.workers.stopped
    assert await bench.phase(key) is Phase.INITIALIZING


async def test_abort_takes_the_whole_subtree_and_nothing_comes_back(bench: Bench) -> None:
    key = await bench.submit(task("env.root", retries=3))
    await bench.call("a0", "p", task("env.parent", retries=3))
    await bench.call("p", "c", task("env.child", retries=3))
    leases = [bench.workers.lease_of(name) for name in ("a0", "p", "c")]
    assert await bench.scheduler.queries.abort(key, "a0", reason="enough") is Phase.ABORTED
    await bench.advance(100)
    assert sorted(bench.workers.stopped) == sorted(leases)
    for name in ("a0", "p", "c"):
        assert await bench.phase(key, name) is Phase.ABORTED
    await bench.say(leases[2], ended={"outputs": {"inline": b"late"}})
    assert await bench.phase(key, "c") is Phase.ABORTED
    assert len(bench.workers.placed) == 3


async def test_abort_of_something_that_has_ended_changes_nothing(bench: Bench) -> None:
    key = await bench.submit(task())
    await bench.succeed("a0")
    assert await bench.scheduler.queries.abort(key, "a0", reason="late") is Phase.SUCCEEDED


async def test_a_child_that_nobody_waits_for_any_more_is_aborted(bench: Bench) -> None:
    key = await bench.submit(task("env.parent"))
    lease = await bench.call("a0", "c1", task("env.child"), number=4)
    await bench.say(lease, cancel_call={"call": 4})
    assert await bench.phase(key, "c1") is Phase.ABORTED


async def test_a_call_of_a_task_that_cannot_be_carried_out_is_refused_and_not_stored(bench: Bench) -> None:
    key = await bench.submit(task("env.parent"))
    spec = task("env.child")
    spec.resources.accelerator.device_class, spec.resources.accelerator.quantity = "GPU", 1
    lease = await bench.call("a0", "c1", spec)
    result = next(order.result for order in bench.workers.sent[lease] if order.HasField("result"))
    assert result.error.code == "NO_CLASS_FITS"
    page = await bench.scheduler.queries.page(key, EVERY_ACTION, asked=0, page_token="")
    assert [action.id.name for action in page.actions] == ["a0"]


async def test_a_waiting_parent_lends_its_room_to_its_children(bench: Bench) -> None:
    bench.room = ClusterCapacity(cpu_millis=1000, memory_bytes=0)
    await bench.start()
    spec = task("env.deep")
    spec.resources.cpu = "1"
    await bench.submit(spec)
    for depth in range(1, 6):
        parent = "a0" if depth == 1 else f"d{depth - 1}"
        await bench.call(parent, f"d{depth}", spec)
        assert bench.workers.placed[-1][1].name == f"d{depth}"
    for depth in range(5, 0, -1):
        await bench.succeed(f"d{depth}")
    await bench.succeed("a0")
    assert bench.scheduler.admission.cluster_figures("local").used_cpu_millis == 0


async def test_room_bounds_what_runs_at_once_and_is_given_back(bench: Bench) -> None:
    bench.room = ClusterCapacity(cpu_millis=1000, memory_bytes=0)
    await bench.start()
    spec = task("env.child")
    spec.resources.cpu = "500m"
    await bench.submit(task("env.parent"))
    for number in range(5):
        await bench.call("a0", f"c{number}", spec, number=number)
    names = [action.name for _, action in bench.workers.placed]
    assert names == ["a0", "c0", "c1"]
    await bench.succeed("c0")
    await bench.fail("c1")
    assert [action.name for _, action in bench.workers.placed] == ["a0", "c0", "c1", "c2", "c3"]
    for name in ("c2", "c3", "c4"):
        await bench.succeed(name)
    await bench.succeed("a0")
    assert bench.scheduler.admission.cluster_figures("local").used_cpu_millis == 0
    assert not bench.scheduler.engine.attempts
