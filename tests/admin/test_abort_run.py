"""Aborts: one durable mark, wherever the run is at that moment (S-04)."""

from __future__ import annotations

import asyncio

import grpc
from tests.admin.conftest import Admin, create_request, run_id
from tests.admin.refusals import refused

from flyteapi.admin.v1 import run_service_pb2 as pb
from flyteapi.common.v1 import phase_pb2
from flyteplane.foundation.errors import Unavailable

AWAY = Unavailable("the scheduler is away", reason="AWAY")


def abort(name: str, *, action: str = "", reason: str = "enough") -> pb.AbortRunRequest:
    return pb.AbortRunRequest(run=run_id(name), action=action, reason=reason)


async def test_an_abort_is_the_schedulers_and_can_be_repeated(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("r1"))
    for _ in range(2):
        assert (await admin.runs.AbortRun(abort("r1"))).phase == phase_pb2.PHASE_ABORTED
    assert admin.scheduler.runs["flytesnacks/development/r1"].aborted_because == "enough"


async def test_what_has_ended_stays_as_it_ended(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("r1"))
    admin.scheduler.say(run_id("r1"), phase_pb2.PHASE_SUCCEEDED)
    assert (await admin.runs.AbortRun(abort("r1"))).phase == phase_pb2.PHASE_SUCCEEDED


async def test_an_unknown_run_is_not_found(admin: Admin) -> None:
    with refused(grpc.StatusCode.NOT_FOUND) as refusal:
        await admin.runs.AbortRun(abort("nobody"))
    assert refusal.reason == "RUN_NOT_FOUND"


async def test_a_run_that_waits_in_the_outbox_is_aborted_durably(admin: Admin) -> None:
    admin.scheduler.drop_watchers(AWAY)
    await admin.runs.CreateRun(create_request("r1"))
    assert (await admin.runs.AbortRun(abort("r1", reason="too late"))).phase == phase_pb2.PHASE_ABORTED
    await admin.restart()
    admin.scheduler.away = None
    await admin.until(lambda: len(admin.scheduler.runs) == 1, passing_s=1.0)
    await admin.settle()
    await admin.until(lambda: admin.scheduler.runs["flytesnacks/development/r1"].aborted_because == "too late")
    await admin.until(lambda: admin.rows("select count(*) from run_outbox") == [(0,)])


async def test_an_abort_while_the_scheduler_is_being_asked_reaches_it_afterwards(admin: Admin) -> None:
    admin.scheduler.accepting.clear()
    call = asyncio.ensure_future(admin.runs.CreateRun(create_request("r1")))
    await admin.scheduler.accept_entered.wait()
    assert (await admin.runs.AbortRun(abort("r1"))).phase == phase_pb2.PHASE_ABORTED
    admin.scheduler.accepting.set()
    await call
    await admin.settle()
    await admin.until(lambda: admin.scheduler.runs["flytesnacks/development/r1"].aborted_because == "enough")


async def test_an_abort_that_cannot_reach_the_scheduler_says_so(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("r1"))
    await admin.settle()
    await admin.until(lambda: admin.rows("select count(*) from run_outbox") == [(0,)])
    admin.scheduler.drop_watchers(AWAY)
    with refused(grpc.StatusCode.UNAVAILABLE) as refusal:
        await admin.runs.AbortRun(abort("r1"))
    assert refusal.reason == "AWAY"


async def test_a_subtree_is_aborted_by_the_scheduler(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("r1"))
    assert (await admin.runs.AbortRun(abort("r1", action="child"))).phase == phase_pb2.PHASE_ABORTED


async def test_a_reason_that_is_too_long_is_refused(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("r1"))
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        await admin.runs.AbortRun(abort("r1", reason="x" * 1025))
    assert (refusal.field, refusal.error.limit) == ("reason", "1 KiB")
