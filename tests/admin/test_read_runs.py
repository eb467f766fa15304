"""Reading runs: pages, filters, the mirror of phases, and what is passed on from the scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from tests.admin.conftest import Admin, create_request, run_id, task_spec
from tests.admin.refusals import refused

from flyteapi.admin.v1 import project_service_pb2, task_service_pb2
from flyteapi.admin.v1 import run_service_pb2 as pb
from flyteapi.common.v1 import phase_pb2
from flyteapi.common.v1.error_pb2 import TaskError
from flyteapi.common.v1.identity_pb2 import ActionId
from flyteapi.scheduler.v1.event_pb2 import Event
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.value_pb2 import Value
from flyteplane.foundation.errors import Unavailable


async def names(admin: Admin, **where: object) -> Sequence[str]:
    page = await admin.runs.ListRuns(pb.ListRunsRequest(**where))  # type: ignore[arg-type]
    return [run.id.name for run in page.runs]


def phase_of(admin: Admin, name: str) -> int:
    return int(admin.rows(f"select phase from runs where name = '{name}'")[0][0])


async def test_runs_are_listed_newest_first_a_page_at_a_time(admin: Admin) -> None:
    for number in range(7):
        await admin.runs.CreateRun(create_request(f"r{number}"))
    seen, token = [], ""
    while True:
        page = await admin.runs.ListRuns(pb.ListRunsRequest(project="flytesnacks", page_size=3, page_token=token))
        seen.append([run.id.name for run in page.runs])
        token = page.next_page_token
        if not token:
            break
    assert seen == [["r6", "r5", "r4"], ["r3", "r2", "r1"], ["r0"]]


async def test_a_run_that_arrives_between_pages_moves_nothing(admin: Admin) -> None:
    for number in range(4):
        await admin.runs.CreateRun(create_request(f"r{number}"))
    first = await admin.runs.ListRuns(pb.ListRunsRequest(page_size=2))
    await admin.runs.CreateRun(create_request("late"))
    second = await admin.runs.ListRuns(pb.ListRunsRequest(page_size=2, page_token=first.next_page_token))
    assert [run.id.name for run in second.runs] == ["r1", "r0"]


async def test_filters_hold_together(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("red-1", settings=RunSettings(labels={"team": "red", "size": "s"})))
    admin.clock.advance(10)
    await admin.runs.CreateRun(create_request("red-2", settings=RunSettings(labels={"team": "red"})))
    await admin.runs.CreateRun(create_request("blue-1", spec=task_spec("env.cube")))
    assert await names(admin, labels={"team": "red"}) == ["red-2", "red-1"]
    assert await names(admin, labels={"team": "red", "size": "s"}) == ["red-1"]
    assert await names(admin, task_name="env.cube") == ["blue-1"]
    assert await names(admin, created_by="local:somebody") == []
    assert await names(admin, domain="staging") == []
    moment = Timestamp(seconds=int(admin.clock.now()) - 5)
    assert await names(admin, created_before=moment) == ["red-1"]
    assert await names(admin, created_after=moment) == ["blue-1", "red-2"]


async def test_a_filter_that_no_store_could_answer_is_refused_and_names_its_field(admin: Admin) -> None:
    far = Timestamp(seconds=10**15)
    asked: list[tuple[str, dict[str, Any]]] = [
        ("labels", {"label_keys": [f"k{number}" for number in range(51)]}),
        ("labels", {"labels": {f"k{number}": "" for number in range(30)}, "label_keys": [f"l{n}" for n in range(21)]}),
        *((name, {name: far}) for name in ("created_after", "created_before", "updated_after", "updated_before")),
        ("created_after", {"created_after": Timestamp(nanos=-1)}),
    ]
    for field, conditions in asked:
        with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
            await names(admin, **conditions)
        assert refusal.field == field
    assert await names(admin, label_keys=[f"k{number}" for number in range(50)], phases=[1, 2] * 100_000) == []


async def test_labels_can_be_asked_for_whatever_their_value(admin: Admin) -> None:
    for name, labels in {"r1": {"team": "red"}, "r2": {"team": "blue", "size": "s"}, "r3": {"size": "s"}}.items():
        await admin.runs.CreateRun(create_request(name, settings=RunSettings(labels=labels)))
    assert await names(admin, label_keys=["team"]) == ["r2", "r1"]
    assert await names(admin, label_keys=["team", "size"]) == ["r2"]
    assert await names(admin, labels={"size": "s"}, label_keys=["team", "size"]) == ["r2"]
    assert await names(admin, label_keys=["tea"]) == []


async def test_a_run_is_found_by_the_version_of_its_task(admin: Admin) -> None:
    place = {"project": "flytesnacks", "domain": "development"}
    await admin.tasks.DeployTasks(
        task_service_pb2.DeployTasksRequest(**place, version="v1", tasks=[task_spec("env.cube")])
    )
    deployed = create_request("deployed")
    deployed.deployed.CopyFrom(pb.TaskVersionId(**place, name="env.cube"))
    created = await admin.runs.CreateRun(deployed)
    assert created.run.task_version == "v1"
    said = RunSettings(annotations={"flyte.org/version": "v1"})
    await admin.runs.CreateRun(create_request("said", settings=said))
    await admin.runs.CreateRun(create_request("unsaid"))
    await admin.runs.RerunRun(pb.RerunRunRequest(source=run_id("deployed"), name="again"))
    assert await names(admin, task_version="v1") == ["again", "said", "deployed"]
    assert await names(admin, task_version="v1", task_name="env.cube") == ["again", "deployed"]
    assert await names(admin, task_version="v2") == []


async def test_runs_are_listed_by_their_last_change(admin: Admin) -> None:
    start = int(admin.clock.now())
    for name in ("ended", "waits"):
        await admin.runs.CreateRun(create_request(name))
    admin.scheduler.say(run_id("ended"), phase_pb2.PHASE_SUCCEEDED, at_s=start + 100)
    await admin.until(lambda: phase_of(admin, "ended") == phase_pb2.PHASE_SUCCEEDED)
    admin.clock.advance(200)
    await admin.runs.CreateRun(create_request("late"))
    moment = Timestamp(seconds=start + 50)
    assert await names(admin, updated_after=moment) == ["late", "ended"]
    assert await names(admin, updated_before=moment) == ["waits"]
    assert await names(admin, updated_after=moment, updated_before=Timestamp(seconds=start + 150)) == ["ended"]


async def test_phases_of_the_mirror_filter_lists(admin: Admin) -> None:
    for name in ("a", "b", "c"):
        await admin.runs.CreateRun(create_request(name))
    admin.scheduler.say(run_id("a"), phase_pb2.PHASE_SUCCEEDED)
    admin.scheduler.say(run_id("b"), phase_pb2.PHASE_FAILED, error=TaskError(code="ValueError"))
    await admin.until(lambda: phase_of(admin, "b") == phase_pb2.PHASE_FAILED)
    assert await names(admin, phases=[phase_pb2.PHASE_SUCCEEDED, phase_pb2.PHASE_FAILED]) == ["b", "a"]
    listed = await admin.runs.ListRuns(pb.ListRunsRequest(phases=[phase_pb2.PHASE_FAILED]))
    assert listed.runs[0].error.code == "ValueError"
    assert listed.runs[0].ended_at.seconds == 100


async def test_a_page_token_of_another_list_is_refused(admin: Admin) -> None:
    for number in range(3):
        await admin.runs.CreateRun(create_request(f"r{number}"))
    token = (await admin.runs.ListRuns(pb.ListRunsRequest(page_size=1))).next_page_token
    for request in (
        pb.ListRunsRequest(page_size=1, page_token=token, project="flytesnacks"),
        pb.ListRunsRequest(page_token="AAAA" * 8),
        pb.ListRunsRequest(page_token="Ä"),
        pb.ListRunsRequest(page_token=token[:-4] + "AAAA"),
    ):
        with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
            await admin.runs.ListRuns(request)
        assert (refusal.reason, refusal.field) == ("PAGE_TOKEN", "page_token")


async def test_a_page_token_lives_through_a_restart(admin: Admin) -> None:
    for number in range(3):
        await admin.runs.CreateRun(create_request(f"r{number}"))
    token = (await admin.runs.ListRuns(pb.ListRunsRequest(page_size=2))).next_page_token
    await admin.restart()
    page = await admin.runs.ListRuns(pb.ListRunsRequest(page_size=2, page_token=token))
    assert [run.id.name for run in page.runs] == ["r0"]


async def test_a_page_that_is_too_large_is_refused(admin: Admin) -> None:
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        await admin.runs.ListRuns(pb.ListRunsRequest(page_size=1001))
    assert (refusal.field, refusal.error.limit) == ("page_size", "1000 entries")


async def test_whoever_saw_a_run_end_never_reads_an_older_phase(admin: Admin) -> None:
    """The mirror has heard nothing yet; the scheduler is asked."""
    await admin.runs.CreateRun(create_request("r1"))
    admin.scheduler.runs["flytesnacks/development/r1"].phase = phase_pb2.PHASE_SUCCEEDED
    read = await admin.runs.GetRun(pb.GetRunRequest(run=run_id("r1")))
    assert read.run.phase == phase_pb2.PHASE_SUCCEEDED


async def test_the_mirror_answers_while_the_scheduler_is_away(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("r1"))
    admin.scheduler.say(run_id("r1"), phase_pb2.PHASE_RUNNING)
    await admin.until(lambda: phase_of(admin, "r1") == phase_pb2.PHASE_RUNNING)
    admin.scheduler.fail_look = Unavailable("away")
    read = await admin.runs.GetRun(pb.GetRunRequest(run=run_id("r1")))
    assert read.run.phase == phase_pb2.PHASE_RUNNING


async def test_the_mirror_goes_on_behind_its_cursor_after_a_restart(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("r1"))
    cursor = admin.scheduler.say(run_id("r1"), phase_pb2.PHASE_RUNNING)
    await admin.until(lambda: phase_of(admin, "r1") == phase_pb2.PHASE_RUNNING)
    await admin.restart()
    admin.scheduler.say(run_id("r1"), phase_pb2.PHASE_SUCCEEDED)
    await admin.until(lambda: phase_of(admin, "r1") == phase_pb2.PHASE_SUCCEEDED)
    assert admin.scheduler.cursors_seen == [0, cursor]


async def test_the_mirror_comes_back_after_a_broken_stream(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("r1"))
    admin.scheduler.drop_watchers(Unavailable("away"))
    await admin.until(lambda: len(admin.scheduler.cursors_seen) == 2, passing_s=1.0)
    admin.scheduler.away = None
    admin.scheduler.say(run_id("r1"), phase_pb2.PHASE_SUCCEEDED)
    await admin.until(lambda: phase_of(admin, "r1") == phase_pb2.PHASE_SUCCEEDED, passing_s=1.0)


async def test_a_run_that_has_ended_keeps_its_phase(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("r1"))
    admin.scheduler.say(run_id("r1"), phase_pb2.PHASE_SUCCEEDED)
    admin.scheduler.say(run_id("r1"), phase_pb2.PHASE_RUNNING)
    admin.scheduler.say(run_id("unknown"), phase_pb2.PHASE_RUNNING)
    await admin.until(lambda: admin.rows("select cursor from phase_cursor") == [(3,)])
    assert phase_of(admin, "r1") == phase_pb2.PHASE_SUCCEEDED


async def test_a_watch_is_relayed_event_by_event(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("r1"))
    held = admin.scheduler.runs["flytesnacks/development/r1"]
    held.events = [Event(sequence=n, action="a0", phase=phase_pb2.PHASE_RUNNING) for n in (1, 2, 3)]
    parts = [part async for part in admin.runs.WatchRun(pb.WatchRunRequest(run=run_id("r1"), from_sequence=2))]
    assert [event.sequence for part in parts for event in part.events] == [2, 3]
    assert [part.next_sequence for part in parts] == [3, 4, 4]
    assert parts[-1].ended


async def test_a_watch_of_a_run_in_the_outbox_waits_until_the_scheduler_has_it(admin: Admin) -> None:
    admin.scheduler.drop_watchers(Unavailable("away"))
    await admin.runs.CreateRun(create_request("r1"))
    watch = admin.runs.WatchRun(pb.WatchRunRequest(run=run_id("r1")))
    first = asyncio.ensure_future(watch.read())
    await asyncio.sleep(0.01)
    assert not first.done()
    admin.scheduler.away = None
    await admin.until(first.done, passing_s=1.0)
    part = first.result()
    assert isinstance(part, pb.WatchRunResponse)
    assert part.ended


@pytest.mark.parametrize("rpc", ["WatchRun", "StreamLogs"])
async def test_streams_of_an_unknown_run_are_not_found(admin: Admin, rpc: str) -> None:
    with refused(grpc.StatusCode.NOT_FOUND):
        if rpc == "WatchRun":
            async for _ in admin.runs.WatchRun(pb.WatchRunRequest(run=run_id("nobody"))):
                pass
        else:
            action = ActionId(run=run_id("nobody"), name="a0")
            async for _ in admin.runs.StreamLogs(pb.StreamLogsRequest(action=action)):
                pass


async def test_actions_are_the_schedulers_answers(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("r1"))
    root = ActionId(run=run_id("r1"), name="a0")
    action = await admin.runs.GetAction(pb.GetActionRequest(action=root))
    assert (action.action.id, action.task, action.attempts[0].worker) == (root, task_spec(), "w1")
    page = await admin.runs.ListActions(pb.ListActionsRequest(run=run_id("r1"), parent="a0", page_size=7))
    assert ([state.id for state in page.actions], page.next_page_token) == ([root], "after-7-a0")
    data = await admin.runs.GetActionData(pb.GetActionDataRequest(action=root))
    assert data.inputs == create_request().inputs
    assert not data.HasField("outputs")
    explained = await admin.runs.ExplainAction(pb.ExplainActionRequest(action=root))
    assert explained.explanation.summary == "waits for room"
    logs = [part async for part in admin.runs.StreamLogs(pb.StreamLogsRequest(action=root, attempt=2))]
    assert [(part.data, part.attempt) for part in logs] == [(b"first\n", 2), (b"second\n", 2)]
    await admin.runs.SignalAction(pb.SignalActionRequest(action=root, answer=Value(bool=True)))
    assert [(signal.action, signal.answer) for signal in admin.scheduler.signals] == [(root, Value(bool=True))]


async def test_refusals_of_the_scheduler_pass_through_with_their_reason(admin: Admin) -> None:
    await admin.runs.CreateRun(create_request("r1"))
    admin.scheduler.fail_look = Unavailable("not the leader", reason="NOT_LEADER", retry_after_s=1.0)
    with refused(grpc.StatusCode.UNAVAILABLE) as refusal:
        await admin.runs.GetAction(pb.GetActionRequest(action=ActionId(run=run_id("r1"), name="a0")))
    assert (refusal.reason, refusal.error.retry_after_s) == ("NOT_LEADER", 1.0)


async def test_a_created_project_takes_runs(admin: Admin) -> None:
    await admin.projects.CreateProject(
        project_service_pb2.CreateProjectRequest(project=project_service_pb2.Project(id="own", domains=["dev"]))
    )
    request = create_request("r1")
    request.run.project, request.run.domain = "own", "dev"
    assert (await admin.runs.CreateRun(request)).created
    assert await names(admin, project="own") == ["r1"]


async def test_a_run_that_ended_just_before_a_watch_began_is_shown_as_ended(admin: Admin) -> None:
    """What has ended is in no change to come, so the list that is read once the watch has begun has to show it."""
    await admin.runs.CreateRun(create_request("r1"))
    admin.scheduler.telling_the_mirror.clear()
    admin.scheduler.say(run_id("r1"), phase_pb2.PHASE_SUCCEEDED)
    watch = admin.runs.WatchRuns(pb.WatchRunsRequest(project="flytesnacks"))
    begun = asyncio.ensure_future(anext(aiter(watch)))
    await admin.quiet()
    assert not begun.done(), "a list that was read now would show the run as it was"
    admin.scheduler.telling_the_mirror.set()
    assert not (await begun).changes
    assert await names(admin, phases=[phase_pb2.PHASE_SUCCEEDED]) == ["r1"]
    await admin.runs.CreateRun(create_request("r2"))
    admin.scheduler.say(run_id("r2"), phase_pb2.PHASE_RUNNING)
    assert [change.run.name for change in (await anext(aiter(watch))).changes] == ["r2"]
    watch.cancel()


async def test_runs_that_wait_for_a_person_are_listed_with_one_question_for_a_page(admin: Admin) -> None:
    for name in ("r1", "r2", "r3", "r4"):
        await admin.runs.CreateRun(create_request(name))
    elsewhere = run_id("r4", project="moon")
    admin.scheduler.paused = [run_id(name) for name in ("r1", "r3", "gone")] + [elsewhere]
    assert await names(admin, paused_only=True) == ["r3", "r1"]
    assert await names(admin, paused_only=True, project="moon") == []
    assert await names(admin, paused_only=True, task_name="env.other") == []
    first = await admin.runs.ListRuns(pb.ListRunsRequest(project="flytesnacks", paused_only=True, page_size=1))
    following = pb.ListRunsRequest(project="flytesnacks", page_size=1, page_token=first.next_page_token)
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        await admin.runs.ListRuns(following)
    following.paused_only = True
    second = await admin.runs.ListRuns(following)
    assert [run.id.name for run in (*first.runs, *second.runs)] == ["r3", "r1"]
    assert not second.next_page_token
    admin.scheduler.away = Unavailable("no scheduler leads", reason="NOT_LEADER")
    with refused(grpc.StatusCode.UNAVAILABLE):
        await names(admin, paused_only=True)
    assert len(await names(admin)) == 4
