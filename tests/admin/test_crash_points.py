"""Lost answers, lost processes and a scheduler that is away: an acknowledged run is never lost and never doubled."""

from __future__ import annotations

import asyncio

import grpc
from tests.admin.conftest import Admin, create_request, run_id
from tests.admin.refusals import refused

from flyteapi.admin.v1 import run_service_pb2 as pb
from flyteapi.common.v1 import error_pb2, phase_pb2
from flyteplane.foundation.errors import InvalidArgument, NotFound, ResourceExhausted, Unavailable

AWAY = Unavailable("the scheduler is away", reason="AWAY")


async def get(admin: Admin, name: str) -> pb.Run:
    return (await admin.runs.GetRun(pb.GetRunRequest(run=run_id(name)))).run


async def asked(admin: Admin, times: int) -> None:
    """Let time pass until the scheduler was asked so many times."""
    await admin.until(lambda: admin.scheduler.accept_calls == times, passing_s=1.0)


async def test_a_death_before_the_commit_leaves_nothing_and_a_retry_makes_one_run(admin: Admin) -> None:
    """S-01: the call is in the queue of the writer when the process ends."""
    request = create_request(request_id="q1")
    call = asyncio.ensure_future(admin.runs.CreateRun(request))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait([call])
    await admin.restart()
    answer = await admin.runs.CreateRun(request)
    assert admin.rows("select count(*) from runs") == [(1,)]
    assert [answer.run.id.name] == [key.rpartition("/")[2] for key in admin.scheduler.runs]


async def test_a_death_after_the_commit_delivers_the_run_without_any_retry(admin: Admin) -> None:
    """S-02: the run is committed, the scheduler heard nothing, and nobody asks again."""
    admin.scheduler.accepting.clear()
    call = asyncio.ensure_future(admin.runs.CreateRun(create_request("orphan", request_id="q1")))
    await admin.scheduler.accept_entered.wait()
    await admin.close()
    await asyncio.wait([call])
    assert admin.rows("select name from runs join run_outbox using (sequence)") == [("orphan",)]
    assert admin.scheduler.runs == {}
    admin.scheduler.accepting.set()
    await admin.open()
    await admin.until(lambda: len(admin.scheduler.runs) == 1)
    again = await admin.runs.CreateRun(create_request("orphan", request_id="q1"))
    assert not again.created


async def test_a_lost_answer_of_the_scheduler_is_asked_for_again_and_changes_nothing(admin: Admin) -> None:
    admin.scheduler.fail_after.append(AWAY)
    answer = await admin.runs.CreateRun(create_request("lost", request_id="q1"))
    assert answer.created
    assert len(admin.scheduler.runs) == 1
    await asked(admin, 2)
    await admin.settle()
    await admin.until(lambda: admin.rows("select count(*) from run_outbox") == [(0,)])
    assert len(admin.scheduler.runs) == 1


async def test_a_run_is_accepted_while_the_scheduler_is_away_and_delivered_when_it_is_back(admin: Admin) -> None:
    admin.scheduler.drop_watchers(AWAY)
    answer = await admin.runs.CreateRun(create_request("early"))
    assert answer.run.phase == phase_pb2.PHASE_QUEUED
    assert (await get(admin, "early")).phase == phase_pb2.PHASE_QUEUED
    admin.scheduler.away = None
    await admin.until(lambda: len(admin.scheduler.runs) == 1, passing_s=1.0)


async def test_deliveries_back_off_while_the_scheduler_stays_away(admin: Admin) -> None:
    admin.scheduler.drop_watchers(AWAY)
    await admin.runs.CreateRun(create_request("patient"))
    for expected in range(2, 6):
        admin.clock.advance(0.02)
        await asyncio.sleep(0.005)
        assert admin.scheduler.accept_calls == expected - 1
        await asked(admin, expected)


async def test_a_scheduler_that_hangs_does_not_keep_the_caller_for_ever(admin: Admin) -> None:
    """The commit is answer enough after a while; here the caller's own deadline passes first and the run lives."""
    admin.scheduler.accepting.clear()
    with refused(grpc.StatusCode.DEADLINE_EXCEEDED):
        await admin.runs.CreateRun(create_request("slow", request_id="q1"), timeout=0.1)
    admin.scheduler.accepting.set()
    await admin.until(lambda: len(admin.scheduler.runs) == 1)
    assert not (await admin.runs.CreateRun(create_request("slow", request_id="q1"))).created


async def test_a_refusal_after_the_acknowledgement_ends_the_run_as_failed(admin: Admin) -> None:
    admin.scheduler.fail_before.extend([AWAY, NotFound("there is no queue 'gold'", reason="QUEUE_NOT_FOUND")])
    await admin.runs.CreateRun(create_request("doomed"))
    await admin.until(lambda: admin.rows("select phase from runs") == [(int(phase_pb2.PHASE_FAILED),)], passing_s=1.0)
    run = await get(admin, "doomed")
    assert run.phase == phase_pb2.PHASE_FAILED
    assert (run.error.kind, run.error.code) == (error_pb2.ERROR_KIND_REFUSED, "QUEUE_NOT_FOUND")
    assert run.HasField("ended_at")
    parts = [part async for part in admin.runs.WatchRun(pb.WatchRunRequest(run=run_id("doomed")))]
    assert parts[-1].ended
    assert parts[-1].events[-1].phase == phase_pb2.PHASE_FAILED


async def test_a_full_queue_after_the_acknowledgement_is_only_waited_for(admin: Admin) -> None:
    full = ResourceExhausted("the queue is full", reason="QUEUE_FULL", retry_after_s=3.0)
    admin.scheduler.fail_before.extend([AWAY, full, full])
    await admin.runs.CreateRun(create_request("waiting"))
    for expected in (2, 3, 4):
        await asked(admin, expected)
    await admin.until(lambda: len(admin.scheduler.runs) == 1)


async def test_what_an_earlier_process_left_is_never_taken_back(admin: Admin) -> None:
    """Whether it was acknowledged is not known any more, so it counts as acknowledged."""
    admin.scheduler.accepting.clear()
    call = asyncio.ensure_future(admin.runs.CreateRun(create_request("unknown")))
    await admin.scheduler.accept_entered.wait()
    await admin.close()
    await asyncio.wait([call])
    admin.scheduler.accepting.set()
    admin.scheduler.fail_before.append(InvalidArgument("cannot be run", reason="UNFIT"))
    await admin.open()
    await admin.until(lambda: admin.rows("select phase from runs") == [(int(phase_pb2.PHASE_FAILED),)])


async def test_a_crash_before_the_outbox_entry_went_delivers_again_without_effect(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("twice"))
    assert admin.rows("select count(*) from run_outbox") == [(1,)]
    copy = admin.folder / "copy.db"
    for suffix in ("", "-wal"):
        source = admin.folder / f"admin.db{suffix}"
        if source.exists():
            (admin.folder / f"copy.db{suffix}").write_bytes(source.read_bytes())
    await admin.close()
    for suffix in ("", "-wal"):
        target = admin.folder / f"admin.db{suffix}"
        target.unlink(missing_ok=True)
        if (admin.folder / f"copy.db{suffix}").exists():
            (admin.folder / f"copy.db{suffix}").rename(target)
    assert not copy.exists()
    await admin.open()
    await admin.until(lambda: admin.scheduler.accept_calls == 2)
    await admin.settle()
    await admin.until(lambda: admin.rows("select count(*) from run_outbox") == [(0,)])
    assert len(admin.scheduler.runs) == 1


async def test_a_stop_in_order_leaves_no_entry_of_a_run_that_was_taken(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("tidy"))
    await admin.close()
    assert admin.rows("select count(*) from run_outbox") == [(0,)]
