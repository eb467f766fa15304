"""Running again: the same task and inputs, changed ones, one action, or a recovery."""

from __future__ import annotations

import grpc
from tests.admin.conftest import Admin, create_request, inputs, run_id, task_spec
from tests.admin.refusals import refused

from flyteapi.admin.v1 import run_service_pb2 as pb
from flyteapi.scheduler.v1.scheduler_service_pb2 import AcceptRunRequest, RunSettings


async def submitted(admin: Admin, name: str) -> AcceptRunRequest:
    return admin.scheduler.runs[f"flytesnacks/development/{name}"].request


async def test_a_run_is_repeated_with_its_task_inputs_and_settings(admin: Admin) -> None:
    settings = RunSettings(env={"A": "1"}, queue="fast")
    await admin.runs.CreateRun(create_request("source", settings=settings, inputs_digest=b"d" * 32))
    answer = await admin.runs.RerunRun(pb.RerunRunRequest(source=run_id("source"), name="again"))
    assert answer.created
    assert answer.run.source == run_id("source")
    again, source = await submitted(admin, "again"), await submitted(admin, "source")
    assert (again.task, again.inputs, again.settings) == (source.task, source.inputs, settings)
    assert again.inputs_digest == b"d" * 32
    read = await admin.runs.GetRun(pb.GetRunRequest(run=run_id("again")))
    assert read.run.source == run_id("source")


async def test_runs_of_a_source_are_found_by_it(admin: Admin) -> None:
    for name in ("source", "other"):
        await admin.runs.CreateRun(create_request(name))
    for source, name in (("source", "first"), ("other", "second"), ("source", "third"), ("first", "fourth")):
        await admin.runs.RerunRun(pb.RerunRunRequest(source=run_id(source), name=name))
    page = await admin.runs.ListRuns(pb.ListRunsRequest(source=run_id("source"), page_size=1))
    rest = await admin.runs.ListRuns(
        pb.ListRunsRequest(source=run_id("source"), page_size=1, page_token=page.next_page_token)
    )
    assert [run.id.name for run in (*page.runs, *rest.runs)] == ["third", "first"]


async def test_changed_inputs_are_checked_and_used(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("source"))
    await admin.runs.RerunRun(pb.RerunRunRequest(source=run_id("source"), name="changed", inputs=inputs(x=9)))
    assert (await submitted(admin, "changed")).inputs == inputs(x=9)
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        await admin.runs.RerunRun(pb.RerunRunRequest(source=run_id("source"), inputs=inputs(y=9)))
    assert refusal.field == "inputs.y"


async def test_a_recovery_names_its_source_and_what_is_forced(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("source"))
    await admin.runs.RerunRun(
        pb.RerunRunRequest(source=run_id("source"), name="recovered", recover=True, force_actions=["abc"])
    )
    settings = (await submitted(admin, "recovered")).settings
    assert settings.recover_from == run_id("source")
    assert list(settings.force_actions) == ["abc"]


async def test_repeating_a_recovery_does_not_recover_again(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("source"))
    await admin.runs.RerunRun(pb.RerunRunRequest(source=run_id("source"), name="recovered", recover=True))
    await admin.runs.RerunRun(pb.RerunRunRequest(source=run_id("recovered"), name="plain"))
    assert not (await submitted(admin, "plain")).settings.HasField("recover_from")


async def test_an_action_runs_again_as_a_root(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("source", inputs_digest=b"d" * 32))
    await admin.runs.RerunRun(pb.RerunRunRequest(source=run_id("source"), action="child", name="part"))
    part = await submitted(admin, "part")
    assert (part.task, part.inputs_digest) == (task_spec(), b"")


async def test_a_repeated_request_gives_the_same_run(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("source"))
    request = pb.RerunRunRequest(source=run_id("source"), request_id="q1")
    first, again = await admin.runs.RerunRun(request), await admin.runs.RerunRun(request)
    assert (first.created, again.created) == (True, False)
    assert first.run.id == again.run.id


async def test_contradictions_are_refused(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("source"))
    for fields, field in (
        ({"force_actions": ["abc"]}, "force_actions"),
        ({"recover": True, "action": "child"}, "action"),
    ):
        with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
            await admin.runs.RerunRun(pb.RerunRunRequest(source=run_id("source"), **fields))
        assert refusal.field == field
    with refused(grpc.StatusCode.NOT_FOUND):
        await admin.runs.RerunRun(pb.RerunRunRequest(source=run_id("nobody")))
