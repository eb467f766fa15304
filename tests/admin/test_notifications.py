"""What is sent when runs end: once each receiver has taken it, over deaths and refusals, and seen by nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.admin.conftest import Admin, create_request, run_id, task_spec
from tests.admin.refusals import refused
from tests.support.web_receiver import WebReceiver

from flyte.spec.notifications import WebRequest
from flyteapi.admin.v1 import run_service_pb2, task_service_pb2, trigger_service_pb2
from flyteapi.common.v1.error_pb2 import TaskError
from flyteapi.common.v1.notification_pb2 import Mail, Notification, NotificationState
from flyteapi.common.v1.notification_pb2 import WebRequest as WebRequestMessage
from flyteapi.common.v1.phase_pb2 import PHASE_FAILED, PHASE_RUNNING, PHASE_SUCCEEDED, Phase
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.admin.domain.notification import Deliveries, Rule
from flyteplane.admin.domain.run import RunPhase
from flyteplane.admin.notifications import NotificationOptions
from flyteplane.foundation.errors import InvalidArgument, Unavailable


@pytest.fixture
def receiver() -> Iterator[WebReceiver]:
    with WebReceiver() as opened:
        yield opened


@pytest.fixture
async def admin(tmp_path: Path, receiver: WebReceiver) -> AsyncIterator[Admin]:
    """An admin with a delivery "ops" and a rule "night"; web requests may go to this machine only."""
    opened = Admin(tmp_path)
    opened.notifications = NotificationOptions(
        deliveries=Deliveries(
            named={"ops": WebRequest(url=f"{receiver.url}/ops")},
            rules={"night": (Rule(phases=frozenset({RunPhase.FAILED}), delivery="ops"),)},
            web_hosts=("127.0.0.*",),
        )
    )
    await opened.open()
    yield opened
    await opened.close()
    assert opened.failures == []


def web(url: str, *phases: Phase.ValueType, body: str = "", **headers: str) -> Notification:
    request = WebRequestMessage(url=url, body=body, headers=headers)
    return Notification(on_phases=phases or [PHASE_FAILED], web_request=request)


async def create(admin: Admin, name: str, *notifications: Notification, rule: str = "") -> run_service_pb2.Run:
    settings = RunSettings(notifications=notifications, notification_rule=rule)
    return (await admin.runs.CreateRun(create_request(name, settings=settings))).run


async def states(admin: Admin, name: str) -> list[NotificationState]:
    return list((await admin.runs.GetRun(run_service_pb2.GetRunRequest(run=run_id(name)))).run.notifications)


def stored_states(admin: Admin) -> list[int]:
    return [state for (state,) in admin.rows("select state from run_notifications order by sequence, position")]


async def test_an_end_is_told_once_to_those_who_asked_for_it(admin: Admin, receiver: WebReceiver) -> None:
    body = (
        '{"text": "{{.Run.Name}} of {{ .Run.Project }} is {{.Phase}}: {{.Error}} {{.Other}}", "at": [1, "{{.Phase}}"]}'
    )
    await create(admin, "r1", web(receiver.url, body=body, **{"X-Team": "a"}), web(receiver.url, PHASE_SUCCEEDED))
    assert stored_states(admin) == [NotificationState.STATE_WAITING] * 2
    admin.scheduler.say(run_id("r1"), PHASE_RUNNING)
    admin.scheduler.say(run_id("r1"), PHASE_FAILED, error=TaskError(code="ValueError", message='a "b"\nc'))
    wanted = [NotificationState.STATE_SENT, NotificationState.STATE_NOT_NEEDED]
    await admin.until(lambda: stored_states(admin) == wanted)
    assert [one.json for one in receiver.received] == [
        {"text": 'r1 of flytesnacks is FAILED: ValueError: a "b"\nc {{.Other}}', "at": [1, "FAILED"]}
    ]
    assert receiver.received[0].headers["X-Team"] == "a"
    first, _ = await states(admin, "r1")
    assert (first.target, list(first.on_phases), first.attempts) == ("POST 127.0.0.1", [PHASE_FAILED], 1)


async def test_without_a_body_the_run_is_told_as_an_object(admin: Admin, receiver: WebReceiver) -> None:
    await create(admin, "r1", web(receiver.url, PHASE_SUCCEEDED))
    admin.scheduler.say(run_id("r1"), PHASE_SUCCEEDED)
    await admin.until(lambda: bool(receiver.received))
    wanted = {"run_name": "r1", "run_project": "flytesnacks", "run_domain": "development", "phase": "SUCCEEDED"}
    assert receiver.received[0].json == {**wanted, "run_task": "env.square"}


async def test_a_receiver_that_is_away_is_tried_again_under_the_same_name_also_by_the_next_process(
    admin: Admin, receiver: WebReceiver
) -> None:
    receiver.answers.extend([(503, {}), (429, {"Retry-After": "30"})])
    await create(admin, "r1", web(receiver.url))
    admin.scheduler.say(run_id("r1"), PHASE_FAILED, at_s=int(admin.clock.now()))
    await admin.until(lambda: admin.rows("select attempts from run_notifications") == [(1,)])
    await admin.restart()
    await admin.until(lambda: admin.rows("select attempts from run_notifications") == [(2,)], passing_s=0.01)
    (again,) = await states(admin, "r1")
    assert (again.state, again.last_error) == (NotificationState.STATE_DUE, "the receiver answers 429")
    asked_at = admin.clock.now()
    await admin.until(lambda: stored_states(admin) == [NotificationState.STATE_SENT], passing_s=0.1)
    assert admin.clock.now() - asked_at >= 29.0
    assert len(receiver.received) == 3
    assert len({one.headers["Idempotency-Key"] for one in receiver.received}) == 1


@pytest.mark.parametrize("answer", [(404, {}), (302, {"Location": "http://127.0.0.1:9/elsewhere"})])
async def test_what_is_refused_for_good_is_given_up_and_no_redirect_is_followed(
    admin: Admin, receiver: WebReceiver, answer: tuple[int, dict[str, str]]
) -> None:
    receiver.answers.append(answer)
    await create(admin, "r1", web(receiver.url))
    admin.scheduler.say(run_id("r1"), PHASE_FAILED)
    await admin.until(lambda: stored_states(admin) == [NotificationState.STATE_GIVEN_UP])
    (state,) = await states(admin, "r1")
    assert state.last_error == f"the receiver answers {answer[0]}"


async def test_a_day_after_the_end_it_is_given_up(admin: Admin, receiver: WebReceiver) -> None:
    receiver.answers.extend([(500, {})] * 1000)
    started_at = admin.clock.now()
    await create(admin, "r1", web(receiver.url))
    admin.scheduler.say(run_id("r1"), PHASE_FAILED, at_s=int(admin.clock.now()))
    await admin.until(lambda: stored_states(admin) == [NotificationState.STATE_GIVEN_UP], passing_s=600.0)
    # The clock goes on while a request is under way, so how many there are is for the machine to say.
    assert 1 < len(receiver.received) < 300
    assert admin.clock.now() - started_at >= 23 * 3600


async def test_a_run_that_the_scheduler_refuses_after_it_was_accepted_is_told_as_failed(
    admin: Admin, receiver: WebReceiver
) -> None:
    admin.scheduler.fail_before.extend([Unavailable("not now"), InvalidArgument("never", reason="NEVER")])
    await create(admin, "r1", web(receiver.url))
    await admin.until(lambda: bool(receiver.received), passing_s=0.05)
    assert receiver.received[0].json["phase"] == "FAILED"


async def test_what_the_operator_has_set_up_is_used_by_name(admin: Admin, receiver: WebReceiver) -> None:
    await create(admin, "r1", Notification(on_phases=[PHASE_FAILED], named="ops"), rule="night")
    admin.scheduler.say(run_id("r1"), PHASE_FAILED)
    await admin.until(lambda: stored_states(admin) == [NotificationState.STATE_SENT] * 2)
    assert {one.path for one in receiver.received} == {"/hook/secret/ops"}
    assert [one.target for one in await states(admin, "r1")] == ["delivery ops"] * 2


MAIL = Mail(recipients=["a@example.org"], subject="s", body="b")


@pytest.mark.parametrize(
    ("notification", "field", "words"),
    [
        (web("http://127.0.0.1/x", PHASE_RUNNING), "settings.notifications[0].on_phases", "end a run"),
        (Notification(on_phases=[PHASE_FAILED]), "settings.notifications[0]", "what is sent"),
        (web("ftp://127.0.0.1/x"), "settings.notifications[0].url", "http or https"),
        (web("http://127.0.0.1/x", body="{"), "settings.notifications[0].body", "JSON"),
        (web("http://127.0.0.1/x", body="[" * 600 + "]" * 600), "settings.notifications[0].body", "nested"),
        (web("http://127.0.0.1/x", body="[" * 100_000), "settings.notifications[0].body", "JSON"),
        (web("http://example.org/x"), "settings.notifications[0].web_request.url", "web_hosts"),
        (Notification(on_phases=[PHASE_FAILED], named="nobody"), "settings.notifications[0].named", "ops"),
        (Notification(on_phases=[PHASE_FAILED], mail=MAIL), "settings.notifications[0].mail", "notifications.smtp"),
    ],
)
async def test_what_could_never_be_sent_is_refused_before_anything_is_stored(
    admin: Admin, notification: Notification, field: str, words: str
) -> None:
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        await create(admin, "r1", notification)
    assert refusal.field == field
    assert words in f"{refusal.text} {refusal.error.mend}"
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        await create(admin, "r1", *[web("http://127.0.0.1/x")] * 33)
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        await create(admin, "r1", rule="day")
    assert admin.rows("select * from runs") == []


async def test_no_reader_and_not_the_scheduler_sees_an_address_and_a_repetition_keeps_it(
    admin: Admin, receiver: WebReceiver
) -> None:
    shown = (await create(admin, "r1", web(receiver.url, **{"X-Key": "hidden"}))).settings
    assert "secret" not in str(shown)
    assert "hidden" not in str(shown)
    assert not next(iter(admin.scheduler.runs.values())).request.settings.notifications
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        await admin.runs.CreateRun(create_request("r2", settings=shown))
    assert refusal.field == "settings.notifications[0].web_request.url"
    shown.labels["again"] = "yes"
    again = run_service_pb2.RerunRunRequest(source=run_id("r1"), name="r3", settings=shown)
    await admin.runs.RerunRun(again)
    assert "hidden" not in str(again), "messages belong to their callers, also inside of one process"
    admin.scheduler.say(run_id("r3"), PHASE_FAILED)
    await admin.until(lambda: bool(receiver.received))
    assert receiver.received[0].headers["X-Key"] == "hidden"


async def test_the_runs_of_a_trigger_are_told_and_its_readers_see_no_address(
    admin: Admin, receiver: WebReceiver
) -> None:
    deploy: Any = {"project": "flytesnacks", "domain": "development", "version": "1", "tasks": [task_spec()]}
    await admin.tasks.DeployTasks(task_service_pb2.DeployTasksRequest(**deploy))
    identity = trigger_service_pb2.TriggerId(
        project="flytesnacks", domain="development", task_name="env.square", name="t"
    )
    trigger = trigger_service_pb2.Trigger(id=identity, inputs=create_request("x").inputs)
    trigger.settings.notifications.append(web("http://example.org/"))
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        await admin.triggers.PutTrigger(trigger_service_pb2.PutTriggerRequest(trigger=trigger))
    trigger.settings.notifications[0].web_request.url = receiver.url
    put = await admin.triggers.PutTrigger(trigger_service_pb2.PutTriggerRequest(trigger=trigger))
    assert "secret" not in str(put)
    fired = (await admin.triggers.FireTrigger(trigger_service_pb2.FireTriggerRequest(id=identity))).run
    admin.scheduler.say(fired.id, PHASE_FAILED)
    await admin.until(lambda: bool(receiver.received))
    assert receiver.received[0].json["run_name"] == fired.id.name
