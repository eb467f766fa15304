"""Attempts through the Assign stream: what reaches the replica, what reaches the scheduler, and in which order."""

from __future__ import annotations

import asyncio

from tests.reuse_pool.bench import DIGEST, RUN, Bench, declaration, ended, submit

from flyteapi.common.v1.phase_pb2 import PHASE_SUCCEEDED
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import PlaceAttempt, PoolOrder
from flyteapi.scheduler.v1.worker_service_pb2 import (
    ActionResult,
    Assign,
    CancelCall,
    DeclareTask,
    EndAccepted,
    Heartbeat,
    LeaseRevoked,
    LogChunk,
    OutputStored,
    WorkerOrder,
    WorkerReport,
)
from flyteapi.task.v1.task_spec_pb2 import TaskSpec


async def test_an_attempt_goes_to_a_replica_and_its_end_comes_back(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "quick")
    assert (await scheduler.ended(1)).outputs.inline == b"out"
    assert scheduler.kinds(1) == ["placed", "started", "ended"]


async def test_run_and_task_are_introduced_once_before_they_are_used(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    for lease in (1, 2):
        await scheduler.place(lease, f"quick{lease}")
        await scheduler.ended(lease)
        await scheduler.accept(lease)
    replica = await scheduler.placed(1)
    await bench.orders(replica, "end_accepted", count=2)
    kinds = [order.WhichOneof("order") for order in bench.worker(replica).received]
    assert kinds == ["declare_task", "declare_run", "assign", "end_accepted", "assign", "end_accepted"]


async def test_a_task_on_pods_as_well_keeps_its_folder_on_this_machine(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    spec = TaskSpec(environment="env")
    for path in ("/bundles/b", ""):
        await scheduler.send(PoolOrder(declare_task=DeclareTask(digest=DIGEST, spec=spec, bundle_path=path)))
    await scheduler.place(1, "quick")
    (order,) = await bench.orders(await scheduler.placed(1), "declare_task")
    assert order.declare_task.bundle_path == "/bundles/b"


async def test_inputs_arrive_as_they_were_sent(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(7, "quick")
    (order,) = await bench.orders(await scheduler.placed(7), "assign")
    assert order.lease == 7
    assert order.assign.inputs.inline == b"in"
    assert (order.assign.run, order.assign.action, order.assign.attempt) == (RUN, "quick", 1)


async def test_a_child_of_a_child_is_relayed_both_ways(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "parent", is_async=True)
    replica = bench.worker(await scheduler.placed(1))
    replica.say(submit(1, 1, "quick-child"))
    await scheduler.until(lambda r: r.HasField("forward") and r.forward.HasField("submit"))
    await scheduler.place(2, "quick-child", is_async=True)
    await scheduler.ended(2)
    await scheduler.forward(1, result=ActionResult(call=1, phase=PHASE_SUCCEEDED))
    (order,) = await bench.orders(replica.spec.name, "result")
    assert order.result.call == 1


async def test_a_batch_of_attempts_goes_out_as_one_batch(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration(concurrency=100))
    places = [
        PlaceAttempt(
            pool="a" * 64,
            lease=lease,
            assign=Assign(run=RUN, action=f"quick{lease}", task_digest=DIGEST),
            is_async=True,
        )
        for lease in range(1, 51)
    ]
    await scheduler.send(*(PoolOrder(place=place) for place in places))
    for lease in range(1, 51):
        await scheduler.ended(lease)


async def test_a_report_under_a_lease_that_the_replica_does_not_hold_is_answered_with_lease_revoked(
    bench: Bench,
) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "held")
    replica = bench.worker(await scheduler.placed(1))
    replica.say(ended(99))
    (order,) = await bench.orders(replica.spec.name, "lease_revoked")
    assert order.lease == 99
    assert scheduler.kinds(99) == []


async def test_a_repeated_end_is_passed_on_until_it_is_accepted(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "held")
    replica = bench.worker(await scheduler.placed(1))
    replica.say(ended(1))
    replica.say(ended(1))
    await bench.until(lambda: scheduler.kinds(1).count("ended") == 2)
    await scheduler.accept(1)
    await bench.orders(replica.spec.name, "end_accepted")
    replica.say(ended(1))
    await bench.orders(replica.spec.name, "lease_revoked")
    assert scheduler.kinds(1).count("ended") == 2


async def test_a_revoked_attempt_is_cancelled_and_its_slot_is_given_on(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "held")
    replica = await scheduler.placed(1)
    await scheduler.place(2, "quick")
    await scheduler.revoke(1, grace_s=5)
    (order,) = await bench.orders(replica, "cancel")
    assert order.cancel.reason == "aborted"
    await scheduler.ended(2)
    assert scheduler.kinds(1) == ["placed", "started"]
    (accepted,) = await bench.orders(replica, "end_accepted")
    assert accepted.lease == 1


async def test_a_replica_is_killed_if_a_revoked_attempt_does_not_stop(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration(concurrency=2))
    await scheduler.place(1, "stubborn", is_async=True)
    await scheduler.place(2, "neighbour", is_async=True)
    await scheduler.placed(2)
    await scheduler.revoke(1, grace_s=5)
    await bench.orders(await scheduler.placed(1), "cancel")
    bench.clock.advance(5.1)
    lost = await scheduler.lost(2)
    assert (lost.reason, lost.culprit) == ("REPLICA_KILLED", False)
    assert "lost" not in scheduler.kinds(1)


async def test_lease_revoked_by_the_scheduler_frees_the_slot(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "held")
    await scheduler.placed(1)
    await scheduler.forward(1, lease_revoked=LeaseRevoked(reason="fenced"))
    await scheduler.place(2, "quick")
    await scheduler.ended(2)


async def test_a_parent_that_no_longer_waits_holds_its_slot_again(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "parent", is_async=True)
    replica = bench.worker(await scheduler.placed(1))
    replica.say(submit(1, 1, "child"))
    replica.say(WorkerReport(lease=1, cancel_call=CancelCall(call=1)))
    await scheduler.until(lambda r: r.HasField("forward") and r.forward.HasField("cancel_call"))
    await scheduler.place(2, "quick", is_async=True)
    replica.say(ended(1))
    await scheduler.ended(2)
    assert [report.forward.lease for report in scheduler.reports if report.forward.HasField("ended")] == [1, 2]


async def test_task_versions_that_a_replica_introduces_reach_the_scheduler_whatever_became_of_the_lease(
    bench: Bench,
) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "held")
    replica = bench.worker(await scheduler.placed(1))
    replica.say(WorkerReport(lease=42, declare_task=DeclareTask(digest=b"d", spec=TaskSpec(name="env.child"))))
    report = await scheduler.until(lambda r: r.HasField("forward") and r.forward.HasField("declare_task"))
    assert report.forward.declare_task.spec.name == "env.child"


async def test_what_is_not_declared_is_refused_for_now(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.place(1, "quick")
    refused = await scheduler.refused(1)
    assert (refused.reason, refused.retryable) == ("NOT_DECLARED", True)
    assert "pool" in refused.message


async def test_placing_a_lease_twice_runs_it_once(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "held")
    replica = await scheduler.placed(1)
    await scheduler.place(1, "held")
    await bench.until(lambda: scheduler.kinds(1).count("placed") == 2)
    assert len(await bench.orders(replica, "assign")) == 1


async def test_a_new_stream_is_told_what_is_still_held_and_what_was_not_acknowledged(bench: Bench) -> None:
    first = await bench.scheduler()
    await first.declare(declaration(concurrency=2))
    for lease, action in ((1, "parent"), (2, "quick"), (3, "waiting")):
        await first.place(lease, action, is_async=lease < 3)
    replica = bench.worker(await first.placed(1))
    await first.ended(2)
    told = DeclareTask(digest=DIGEST, spec=TaskSpec(name="env.child"))
    replica.say(WorkerReport(lease=1, declare_task=told), submit(1, 5, "child"))
    await first.until(lambda r: r.HasField("forward") and r.forward.HasField("submit"))
    await first.close()
    replica.say(WorkerReport(lease=1, log=LogChunk(data=b"nobody listens yet")))
    second = await bench.scheduler()
    resumed = second.reports[0].resumed
    assert sorted(resumed.running) == [1, 2]
    assert list(resumed.waiting) == [3]
    await second.ended(2)
    assert second.kinds(1) == ["started", "log", "declare_task", "submit"]
    await second.accept(2)
    await bench.orders(replica.spec.name, "end_accepted")


async def test_output_is_said_again_to_the_next_scheduler_until_it_is_stored(bench: Bench) -> None:
    first = await bench.scheduler()
    await first.declare(declaration())
    await first.place(1, "parent")
    replica = bench.worker(await first.placed(1))

    def chunk(text: bytes, position: int) -> WorkerReport:
        return WorkerReport(lease=1, log=LogChunk(data=text, position=position))

    replica.say(chunk(b"one ", 1), chunk(b"two ", 5))
    await first.until(lambda report: report.forward.log.position == 5)
    # The replica as well keeps what is not stored.
    await first.forward(1, output_stored=OutputStored(position=4))
    await bench.orders(replica.spec.name, "output_stored")
    await first.close()
    replica.say(chunk(b"three", 9))
    second = await bench.scheduler()
    replica.say(chunk(b"end", 14))
    await second.until(lambda report: report.forward.log.position == 14)
    said = [report.forward.log.data for report in second.reports if report.forward.HasField("log")]
    assert said == [b"two ", b"three", b"end"]


async def test_a_newer_stream_takes_over(bench: Bench) -> None:
    first = await bench.scheduler()
    second = await bench.scheduler()
    assert first.reader is not None
    await asyncio.wait_for(first.reader, 30)
    await second.declare(declaration())
    await second.place(1, "quick")
    await second.ended(1)


async def test_heartbeats_stay_in_the_pool_and_silence_loses_the_replica(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "held")
    replica = bench.worker(await scheduler.placed(1))
    await scheduler.until(lambda r: r.HasField("forward") and r.forward.HasField("started"))
    for _ in range(10):
        bench.clock.advance(2)
        replica.say(WorkerReport(heartbeat=Heartbeat(resident_bytes=4096)))
    assert scheduler.kinds(1) == ["placed", "started"]
    for _ in range(19):
        bench.clock.advance(1)
    lost = await scheduler.lost(1)
    assert (lost.reason, lost.culprit) == ("REPLICA_LOST", False)
    await bench.until(lambda: replica.exited is not None)


async def test_time_that_the_service_slept_is_held_against_no_replica(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "held")
    replica = bench.worker(await scheduler.placed(1))
    bench.clock.stand_still(100)
    replica.say(WorkerReport(heartbeat=Heartbeat()))
    bench.clock.advance(10)
    assert replica.exited is None


async def test_a_crash_is_reported_with_its_culprit(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "held")
    bench.worker(await scheduler.placed(1)).exit(signal=11)
    lost = await scheduler.lost(1)
    assert (lost.reason, lost.culprit, lost.signal) == ("REPLICA_CRASHED", True, 11)


async def test_the_end_of_a_replica_that_was_asked_to_accept_an_end_loses_nothing(bench: Bench) -> None:
    scheduler = await bench.scheduler()
    await scheduler.declare(declaration())
    await scheduler.place(1, "held")
    replica = bench.worker(await scheduler.placed(1))
    replica.say(ended(1))
    replica.exit(signal=9)
    await scheduler.ended(1)
    await scheduler.send(PoolOrder(forward=WorkerOrder(lease=1, end_accepted=EndAccepted())))
    await scheduler.place(2, "quick")
    await scheduler.ended(2)
    assert scheduler.kinds(1) == ["placed", "started", "ended"]
