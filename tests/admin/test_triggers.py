"""Triggers: kept, changed, and fired once for each planned time, whatever dies in between."""

from __future__ import annotations

import grpc
import pytest
from tests.admin.conftest import Admin, inputs, task_spec
from tests.admin.refusals import refused

from flyteapi.admin.v1 import task_service_pb2, trigger_service_pb2
from flyteapi.admin.v1.trigger_service_pb2 import (
    CATCH_UP_ALL,
    DeleteTriggerRequest,
    FireTriggerRequest,
    GetTriggerRequest,
    ListTriggersRequest,
    PutTriggerRequest,
    SetTriggerActiveRequest,
    Trigger,
    TriggerId,
)
from flyteapi.common.v1.phase_pb2 import PHASE_QUEUED
from flyteapi.task.v1.interface_pb2 import Parameter
from flyteapi.task.v1.value_pb2 import NamedValues, Payload, PayloadReference
from flyteplane.foundation.errors import InvalidArgument, ResourceExhausted, Unavailable

IDENTITY = TriggerId(project="flytesnacks", domain="development", task_name="env.square", name="hourly")


def trigger(expression: str = "0 * * * *", **fields: object) -> Trigger:
    """A trigger of the deployed task."""
    made = Trigger(id=IDENTITY, inputs=inputs(x=3), active=True, **fields)  # type: ignore[arg-type]
    if expression:
        made.cron.expression = expression
    return made


@pytest.fixture
async def deployed(admin: Admin) -> Admin:
    """An admin that knows the task."""
    await deploy(admin, "1")
    return admin


async def deploy(admin: Admin, version: str, *, described: str = "") -> None:
    """Deploys a version of the task."""
    spec = task_spec(short_description=described)
    spec.interface.inputs.append(
        Parameter(name="when", type_name="datetime", json_schema='{"type": "string", "format": "date-time"}')
    )
    await admin.tasks.DeployTasks(
        task_service_pb2.DeployTasksRequest(project="flytesnacks", domain="development", version=version, tasks=[spec])
    )


async def put(admin: Admin, wanted: Trigger) -> Trigger:
    """Stores a trigger."""
    return (await admin.triggers.PutTrigger(PutTriggerRequest(trigger=wanted))).trigger


async def get(admin: Admin, identity: TriggerId = IDENTITY) -> Trigger:
    """A trigger as it is now."""
    return (await admin.triggers.GetTrigger(GetTriggerRequest(id=identity))).trigger


async def advance(admin: Admin, seconds: float) -> None:
    """Time passes, half an hour at a time."""
    while seconds > 0:
        admin.clock.advance(min(seconds, 1800.0))
        seconds -= 1800.0
        await admin.quiet()


def minutes(moment_s: float) -> float:
    """Seconds until the next full hour."""
    return 3600 - moment_s % 3600


async def test_a_trigger_fires_once_for_each_planned_time(deployed: Admin) -> None:
    stored = await put(deployed, trigger())
    assert stored.next_fire_at.seconds % 3600 == 0
    await advance(deployed, minutes(deployed.clock.now()) - 1)
    assert not deployed.scheduler.runs
    await advance(deployed, 1 + 2 * 3600)
    assert len(deployed.scheduler.runs) == 3
    known = await get(deployed)
    assert known.last_fired_at.seconds % 3600 == 0
    assert known.next_fire_at.seconds - known.last_fired_at.seconds == 3600


async def test_the_planned_time_is_an_input_and_the_run_names_its_trigger(deployed: Admin) -> None:
    await put(deployed, trigger(time_input="when"))
    await advance(deployed, minutes(deployed.clock.now()))
    (held,) = deployed.scheduler.runs.values()
    values = {entry.name: entry.value for entry in NamedValues.FromString(held.request.inputs.inline).values}
    assert values["x"].int == 3
    assert values["when"].datetime.iso.endswith(":00:00+00:00")
    rows = deployed.rows("select created_by, trigger from runs")
    assert rows == [("trigger:env.square/hourly", "hourly")]


async def test_a_fired_time_is_not_fired_again_after_a_crash_before_it_was_noted(deployed: Admin) -> None:
    await put(deployed, trigger())
    before = deployed.rows("select fired_until_us, wake_at_us, revision from triggers")[0]
    await advance(deployed, minutes(deployed.clock.now()))
    await deployed.close()
    deployed.write("update triggers set fired_until_us = ?, wake_at_us = ?, revision = ?", before)
    # A newer version of the task makes no difference to what was fired already.
    await deployed.open()
    await deploy(deployed, "2", described="newer")
    await deployed.quiet()
    assert len(deployed.scheduler.runs) == 1
    assert (await get(deployed)).last_error == ""


@pytest.mark.parametrize(("wanted", "runs"), [(trigger(), 1), (trigger(catch_up=CATCH_UP_ALL, max_catch_up=3), 3)])
async def test_times_that_passed_while_the_platform_was_down_are_caught_up(
    deployed: Admin, wanted: Trigger, runs: int
) -> None:
    await put(deployed, wanted)
    await deployed.close()
    deployed.clock.advance(10 * 3600)
    await deployed.open()
    await deployed.quiet()
    assert len(deployed.scheduler.runs) == runs


async def test_a_full_queue_is_tried_again_and_a_refused_task_is_not(deployed: Admin) -> None:
    await put(deployed, trigger())
    deployed.scheduler.fail_before.append(ResourceExhausted("the queue is full", reason="QUEUE_FULL"))
    await advance(deployed, minutes(deployed.clock.now()))
    assert "the queue is full" in (await get(deployed)).last_error
    await advance(deployed, 60)
    assert len(deployed.scheduler.runs) == 1
    assert (await get(deployed)).last_error == ""
    deployed.scheduler.fail_before.append(InvalidArgument("no cluster can run it", reason="NO_CLUSTER"))
    await advance(deployed, 3600)
    assert "no cluster can run it" in (await get(deployed)).last_error
    assert len(deployed.scheduler.runs) == 1


async def test_a_scheduler_that_is_away_loses_no_planned_time(deployed: Admin) -> None:
    await put(deployed, trigger())
    deployed.scheduler.away = Unavailable("away")
    await advance(deployed, minutes(deployed.clock.now()))
    deployed.scheduler.away = None
    await advance(deployed, 60)
    assert len(deployed.scheduler.runs) == 1


async def test_the_same_trigger_again_keeps_its_times_and_another_schedule_begins_anew(deployed: Admin) -> None:
    rate = trigger("")
    rate.fixed_rate.interval.seconds = 600
    first = await put(deployed, rate)
    deployed.clock.advance(300)
    assert await put(deployed, rate) == first
    rate.description = "every ten minutes"
    assert (await put(deployed, rate)).next_fire_at == first.next_fire_at
    rate.fixed_rate.interval.seconds = 1200
    assert (await put(deployed, rate)).next_fire_at.seconds == int(deployed.clock.now()) + 1200


async def test_an_inactive_trigger_does_not_fire_and_an_activated_one_catches_nothing_up(deployed: Admin) -> None:
    await put(deployed, trigger())
    await deployed.triggers.SetTriggerActive(SetTriggerActiveRequest(id=IDENTITY, active=False))
    assert not (await get(deployed)).HasField("next_fire_at")
    await advance(deployed, 2 * 3600)
    await deployed.triggers.SetTriggerActive(SetTriggerActiveRequest(id=IDENTITY, active=True))
    await deployed.quiet()
    assert not deployed.scheduler.runs
    await advance(deployed, 3600)
    assert len(deployed.scheduler.runs) == 1


async def test_a_trigger_is_fired_by_hand_once_for_each_request(deployed: Admin) -> None:
    await put(deployed, trigger(""))
    request = FireTriggerRequest(id=IDENTITY, request_id="once")
    first = (await deployed.triggers.FireTrigger(request)).run
    again = (await deployed.triggers.FireTrigger(request)).run
    assert first.id == again.id
    assert first.phase == PHASE_QUEUED
    other = (await deployed.triggers.FireTrigger(FireTriggerRequest(id=IDENTITY))).run
    assert other.id != first.id


async def test_triggers_are_listed_by_task_and_deleted(deployed: Admin) -> None:
    await put(deployed, trigger())
    request = ListTriggersRequest(project="flytesnacks", domain="development", task_name="env.square")
    assert [one.id.name for one in (await deployed.triggers.ListTriggers(request)).triggers] == ["hourly"]
    await deployed.triggers.DeleteTrigger(DeleteTriggerRequest(id=IDENTITY))
    assert not (await deployed.triggers.ListTriggers(request)).triggers
    with refused(grpc.StatusCode.NOT_FOUND) as refusal:
        await deployed.triggers.DeleteTrigger(DeleteTriggerRequest(id=IDENTITY))
    assert refusal.reason == "TRIGGER_NOT_FOUND"
    await advance(deployed, 2 * 3600)
    assert not deployed.scheduler.runs


def _with(**fields: object) -> Trigger:
    return trigger(**fields)  # type: ignore[arg-type]


def _zone(name: str) -> Trigger:
    made = trigger()
    made.cron.timezone = name
    return made


def _rate(seconds: int, *, start_s: int = 0) -> Trigger:
    made = trigger("")
    made.fixed_rate.interval.seconds = seconds
    made.fixed_rate.start_time.seconds = start_s
    return made


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (trigger("every day"), "cron"),
        (trigger("0 0 30 2 *"), "cron"),
        (trigger("* * * * * *"), "cron"),
        (_zone("Mars/Olympus"), "cron"),
        (_rate(30), "fixed_rate.interval"),
        (_rate(60, start_s=10**15), "fixed_rate.start_time"),
        (_with(time_input="nothing"), "time_input"),
        (_with(time_input="x"), "time_input"),
        (_with(max_catch_up=5000), "max_catch_up"),
        (_with(catch_up=7), "catch_up"),
        (Trigger(id=IDENTITY, inputs=Payload(inline=b"\xff\xff")), "inputs"),
        (Trigger(id=IDENTITY, inputs=Payload(reference=PayloadReference(uri="s3://b/k")), time_input="when"), "inputs"),
        (Trigger(id=IDENTITY, inputs=inputs(y=1)), "inputs.y"),
        (Trigger(id=IDENTITY), "inputs.x"),
        (Trigger(id=TriggerId(project="flytesnacks", domain="development", task_name="env.square", name="a b")), "id"),
    ],
)
async def test_a_trigger_that_could_not_fire_is_refused(deployed: Admin, wanted: Trigger, field: str) -> None:
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        await put(deployed, wanted)
    assert refusal.field == field
    assert not deployed.rows("select * from triggers")


async def test_a_trigger_needs_a_deployed_task_and_a_place(deployed: Admin) -> None:
    nobody = trigger()
    nobody.id.task_name = "env.nobody"
    with refused(grpc.StatusCode.NOT_FOUND) as refusal:
        await put(deployed, nobody)
    assert refusal.reason == "TASK_NOT_FOUND"
    with refused(grpc.StatusCode.NOT_FOUND):
        await deployed.triggers.GetTrigger(trigger_service_pb2.GetTriggerRequest(id=nobody.id))
