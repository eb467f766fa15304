"""Submitting runs: what is stored, what is refused, and what a repeated request gives."""

from __future__ import annotations

import asyncio

import grpc
from tests.admin.conftest import Admin, create_request, inputs, run_id, task_spec
from tests.admin.refusals import refused

from flyteapi.admin.v1 import project_service_pb2, run_service_pb2
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.foundation.errors import InvalidArgument, NotFound, ResourceExhausted


async def test_an_accepted_run_is_with_the_scheduler_and_can_be_read(admin: Admin) -> None:
    settings = RunSettings(env={"A": "1"}, labels={"team": "red"})
    response = await admin.runs.CreateRun(create_request("first", request_id="q1", settings=settings))
    assert response.created
    assert (response.run.id.name, response.run.created_by, response.run.task_name) == (
        "first",
        "local:tester",
        "env.square",
    )
    taken = admin.scheduler.runs["flytesnacks/development/first"].request
    assert taken.task == task_spec()
    assert taken.inputs == inputs(x=3)
    assert taken.settings == settings
    assert len(taken.digest) == 32
    read = await admin.runs.GetRun(run_service_pb2.GetRunRequest(run=run_id("first")))
    assert read.task == task_spec()
    assert read.run.settings == settings


async def test_a_repeated_request_gives_the_same_run_and_touches_nothing(admin: Admin) -> None:
    first = await admin.runs.CreateRun(create_request(request_id="q1"))
    again = await admin.runs.CreateRun(create_request(request_id="q1"))
    assert again.run == first.run
    assert (first.created, again.created) == (True, False)
    assert admin.scheduler.accept_calls == 1


async def test_a_generated_name_depends_on_the_request_only(admin: Admin) -> None:
    first = await admin.runs.CreateRun(create_request(request_id="q1"))
    other = await admin.runs.CreateRun(create_request(request_id="q2"))
    assert first.run.id.name != other.run.id.name
    assert first.run.id.name[0] == "r"
    assert len(first.run.id.name) == 20


async def test_runs_without_name_and_request_id_are_never_the_same(admin: Admin) -> None:
    names = {(await admin.runs.CreateRun(create_request())).run.id.name for _ in range(3)}
    assert len(names) == 3


async def test_a_name_with_the_same_content_is_the_same_run(admin: Admin) -> None:
    first = await admin.runs.CreateRun(create_request("named", request_id="q1"))
    again = await admin.runs.CreateRun(create_request("named", request_id="q2"))
    assert not again.created
    assert again.run == first.run


async def test_a_name_with_other_content_is_refused_and_the_first_run_is_untouched(admin: Admin) -> None:
    first = await admin.runs.CreateRun(create_request("named", x=1))
    with refused(grpc.StatusCode.ALREADY_EXISTS) as refusal:
        await admin.runs.CreateRun(create_request("named", x=2))
    assert (refusal.reason, refusal.field) == ("RUN_EXISTS", "run.name")
    read = await admin.runs.GetRun(run_service_pb2.GetRunRequest(run=run_id("named")))
    assert read.run.task_digest == first.run.task_digest
    assert admin.scheduler.runs["flytesnacks/development/named"].request.inputs == inputs(x=1)


async def test_a_request_id_with_other_content_is_refused(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request(request_id="q1", x=1))
    with refused(grpc.StatusCode.ALREADY_EXISTS) as refusal:
        await admin.runs.CreateRun(create_request(request_id="q1", x=2))
    assert refusal.reason == "REQUEST_ID_REUSED"
    with refused(grpc.StatusCode.ALREADY_EXISTS) as refusal:
        await admin.runs.CreateRun(create_request("other-name", request_id="q1", x=1))
    assert refusal.reason == "REQUEST_ID_REUSED"


async def test_simultaneous_requests_with_one_id_make_one_run(admin: Admin) -> None:
    answers = await asyncio.gather(*(admin.runs.CreateRun(create_request(request_id="q1")) for _ in range(20)))
    assert {answer.run.id.name for answer in answers} == {answers[0].run.id.name}
    assert sum(answer.created for answer in answers) == 1
    assert len(admin.scheduler.runs) == 1


async def test_a_full_queue_reaches_the_caller_and_leaves_no_run(admin: Admin) -> None:
    admin.scheduler.fail_before.append(
        ResourceExhausted("the queue is full", reason="QUEUE_FULL", limit="5 runs", retry_after_s=2.5)
    )
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED) as refusal:
        await admin.runs.CreateRun(create_request("full", request_id="q1"))
    assert (refusal.reason, refusal.error.limit, refusal.error.retry_after_s) == ("QUEUE_FULL", "5 runs", 2.5)
    with refused(grpc.StatusCode.NOT_FOUND):
        await admin.runs.GetRun(run_service_pb2.GetRunRequest(run=run_id("full")))
    assert admin.rows("select count(*) from runs") == [(0,)]
    assert admin.rows("select count(*) from run_outbox") == [(0,)]
    assert (await admin.runs.CreateRun(create_request("full", request_id="q1"))).created


async def test_an_unknown_queue_reaches_the_caller_with_its_details(admin: Admin) -> None:
    admin.scheduler.fail_before.append(
        NotFound("there is no queue 'gold'", reason="QUEUE_NOT_FOUND", field="settings.queue", mend="Create it.")
    )
    with refused(grpc.StatusCode.NOT_FOUND) as refusal:
        await admin.runs.CreateRun(create_request("q"))
    assert (refusal.reason, refusal.field, refusal.error.mend) == ("QUEUE_NOT_FOUND", "settings.queue", "Create it.")


async def test_everybody_who_waits_for_a_refused_run_is_refused(admin: Admin) -> None:
    admin.scheduler.accepting.clear()
    admin.scheduler.fail_before.append(InvalidArgument("cannot be run", reason="UNFIT"))
    calls = [asyncio.ensure_future(admin.runs.CreateRun(create_request(request_id="q1"))) for _ in range(3)]
    await admin.scheduler.accept_entered.wait()
    admin.scheduler.accepting.set()
    for call in calls:
        with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
            await call
        assert refusal.reason == "UNFIT"


async def test_a_run_into_an_unknown_project_says_how_to_create_it(admin: Admin) -> None:
    request = create_request("r1")
    request.run.project = "elsewhere"
    with refused(grpc.StatusCode.NOT_FOUND) as refusal:
        await admin.runs.CreateRun(request)
    assert refusal.reason == "PROJECT_NOT_FOUND"
    assert "flyte create project elsewhere" in refusal.text


async def test_a_run_into_an_unknown_domain_names_the_known_ones(admin: Admin) -> None:
    request = create_request("r1")
    request.run.domain = "moon"
    with refused(grpc.StatusCode.NOT_FOUND) as refusal:
        await admin.runs.CreateRun(request)
    assert (refusal.reason, refusal.field) == ("DOMAIN_NOT_FOUND", "run.domain")
    assert "staging" in refusal.text


async def test_an_archived_project_takes_no_runs(admin: Admin) -> None:
    await admin.projects.UpdateProject(project_service_pb2.UpdateProjectRequest(id="flytesnacks", archived=True))
    with refused(grpc.StatusCode.FAILED_PRECONDITION) as refusal:
        await admin.runs.CreateRun(create_request("r1"))
    assert refusal.reason == "PROJECT_ARCHIVED"


async def test_a_caller_that_goes_away_does_not_take_its_run_with_it(admin: Admin) -> None:
    admin.scheduler.accepting.clear()
    call = asyncio.ensure_future(admin.runs.CreateRun(create_request("left")))
    await admin.scheduler.accept_entered.wait()
    call.cancel()
    await asyncio.wait([call])
    admin.scheduler.accepting.set()
    await admin.until(lambda: "flytesnacks/development/left" in admin.scheduler.runs)
    assert (await admin.runs.GetRun(run_service_pb2.GetRunRequest(run=run_id("left")))).run.id.name == "left"
