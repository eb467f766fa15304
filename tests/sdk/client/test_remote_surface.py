"""What programs for the peer SDK call of `flyte.remote`, over a wire that is real."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.sdk.client.fake_platform import FakePlatform

import flyte
import flyte.errors
from flyte.io import Dir
from flyte.models import ActionPhase
from flyte.remote import Action, Project, Run, Secret, Task, TimeFilter, Trigger, upload_dir, upload_file
from flyte.types.codecs import codec_for
from flyteapi.admin.v1 import run_service_pb2
from flyteapi.common.v1 import phase_pb2
from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState
from flyteapi.task.v1.value_pb2 import NamedValues

PROGRAM = """
import flyte

env = flyte.TaskEnvironment(name="shop")


@env.task(triggers=(flyte.Trigger.hourly("at", inputs={"x": 3}), flyte.Trigger("by-hand")))
async def price(x: int = 1, at: str = "") -> int:
    return x
"""
CRON = flyte.Trigger(
    "morning",
    flyte.Cron("0 6 * * *", timezone="Europe/Berlin"),
    inputs={"x": 7, "name": "a", "at": flyte.TriggerTime},
    queue="gpu",
    overwrite_cache=True,
    auto_activate=False,
)


def test_a_trigger_keeps_its_schedule_inputs_and_settings(platform: FakePlatform) -> None:
    made = Trigger.create(CRON, "shop.price", "v1")
    assert (made.name, made.task_name, made.is_active) == ("morning", "shop.price", False)
    stored = platform.script.triggers["morning"]
    assert (stored.cron.expression, stored.cron.timezone) == ("0 6 * * *", "Europe/Berlin")
    assert (stored.time_input, stored.task_version, stored.settings.queue) == ("at", "v1", "gpu")
    assert stored.settings.overwrite_cache
    values = {named.name: named.value for named in NamedValues.FromString(stored.inputs.inline).values}
    assert set(values) == {"x", "name"}
    assert values["x"].int == 7


def test_a_fixed_rate_keeps_its_start(platform: FakePlatform) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    Trigger.create(flyte.Trigger("rate", flyte.FixedRate(90, start_time=start)), "shop.price")
    stored = platform.script.triggers["rate"].fixed_rate
    assert stored.interval.seconds == 90 * 60
    assert stored.start_time.ToDatetime(tzinfo=UTC) == start


def test_triggers_are_listed_switched_and_deleted(platform: FakePlatform) -> None:
    Trigger.create(CRON, "shop.price", "v1")
    assert [one.name for one in Trigger.listall()] == ["morning"]
    assert list(Trigger.listall(task_version="v2")) == []
    assert Trigger.update("morning", "shop.price", active=True).is_active
    details = Trigger.get(name="morning", task_name="shop.price")
    assert details.to_dict()["cron"]["expression"] == "0 6 * * *"
    Trigger.delete("morning", "shop.price")
    with pytest.raises(flyte.errors.RuntimeUserError, match="no trigger morning"):
        Trigger.get(name="morning", task_name="shop.price")


def test_schedules_that_can_never_be_kept_are_refused_before_anything_is_sent(platform: FakePlatform) -> None:
    twice = {"a": flyte.TriggerTime, "b": flyte.TriggerTime}
    for bad in (flyte.Trigger("t", flyte.Cron("bogus")), flyte.Trigger("t", flyte.Cron("0 6 * * *"), inputs=twice)):
        with pytest.raises(ValueError, match=r"triggers\."):
            Trigger.create(bad, "shop.price")
    assert platform.script.triggers == {}


def test_deploying_a_task_deploys_its_triggers(platform: FakePlatform, user_module: Any) -> None:
    flyte.deploy(user_module("shop", PROGRAM).env)
    assert set(platform.script.triggers) == {"hourly", "by-hand"}
    assert platform.script.triggers["hourly"].time_input == "at"
    assert platform.script.triggers["by-hand"].WhichOneof("schedule") is None


def test_a_rehearsed_deployment_checks_triggers_and_sends_none(platform: FakePlatform, user_module: Any) -> None:
    flyte.deploy(user_module("shop", PROGRAM).env, dry_run=True)
    assert platform.script.triggers == {}
    broken = PROGRAM.replace('flyte.Trigger("by-hand")', 'flyte.Trigger("t", flyte.FixedRate(0))')
    with pytest.raises(ValueError, match="interval_minutes"):
        flyte.deploy(user_module("broken", broken).env, dry_run=True)


def test_what_the_platform_said_is_plain_data_too(platform: FakePlatform, user_module: Any) -> None:
    run = flyte.run(user_module("shop", PROGRAM).price, x=7)
    assert run.to_dict()["task_name"] == "shop.price"
    assert "shop.price" in run.to_json()


@pytest.mark.parametrize(
    "ask",
    [
        lambda: Run.listall(sort_by=("nobody", "asc")),
        lambda: Action.listall("r", sort_by=("name", "up")),  # type: ignore[arg-type]  # what is refused
        lambda: Project.listall(filters="x"),
        lambda: Secret.listall(cluster_pool="p"),
    ],
)
def test_a_condition_that_is_not_kept_is_refused_instead_of_ignored(platform: FakePlatform, ask: Any) -> None:
    with pytest.raises(ValueError, match=r"not supported|is no order|leave cluster_pool out"):
        list(ask())


def test_the_usual_order_may_be_asked_for(platform: FakePlatform) -> None:
    assert list(Run.listall(("failed",), None, None, None, ("created_at", "desc"), 5)) == []


@pytest.mark.parametrize("uri", ["nonsense", "flyte://p/d", "s3://p/d/r/a"])
def test_an_action_is_named_by_run_or_uri(platform: FakePlatform, uri: str) -> None:
    with pytest.raises(ValueError, match="names no action"):
        Action.get(uri)
    with pytest.raises(ValueError, match="give run_name"):
        Action.get()


def test_the_version_of_a_deployed_task_is_given_or_chosen(platform: FakePlatform) -> None:
    assert repr(Task.get("a.b", version="1")) == "Future for task with name a.b"
    with pytest.raises(ValueError, match="either 'latest' or 'current'"):
        Task.get("a.b", auto_version="newest")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="none runs"):
        Task.get("a.b", auto_version="current")


def test_inside_of_a_task_the_current_version_is_its_own() -> None:
    from flyte.authoring.context import TaskContextData, activate
    from flyte.models import ActionID, TaskContext

    running = TaskContext(action=ActionID(name="a0"), version="v7")
    with activate(TaskContextData(task_context=running)):
        assert Task.get("a.b", auto_version="current").version == "v7"


async def test_a_deployed_task_is_given_other_settings_in_coroutines_too(
    platform: FakePlatform, user_module: Any
) -> None:
    await flyte.deploy.aio(user_module("shop", PROGRAM).env, version="v7")
    changed = await Task.get("shop.price", version="v7").override.aio(
        short_name="p", cache=flyte.Cache("auto", version_override="v9", ignored_inputs="at", max_age=60)
    )
    assert changed.overridden
    assert changed.cache == flyte.Cache(
        "auto", version_override="v9", ignored_inputs=("at",), max_age=timedelta(seconds=60)
    )
    assert not (await Task.get("shop.price", version="v7").fetch.aio()).cache.is_enabled()


def test_lists_come_in_the_order_that_is_asked_for(platform: FakePlatform) -> None:
    for number, name in enumerate("cab"):
        run = run_service_pb2.Run(phase=phase_pb2.PHASE_RUNNING)
        run.id.name, run.created_at.seconds = name, 100 - number
        platform.script.runs[name] = run
        action = ActionState(phase=phase_pb2.PHASE_RUNNING)
        action.id.name, action.created_at.seconds, action.header.is_condition = name, 100 - number, name == "a"
        platform.script.actions.append(action)
    assert [run.name for run in Run.listall(sort_by=("created_at", "asc"), limit=2)] == ["b", "a"]
    assert [run.name for run in Run.listall(sort_by=("name", "desc"))] == ["c", "b", "a"]
    assert [one.name for one in Action.listall("r", sort_by=("name", "asc"))] == ["a", "b", "c"]
    recent = TimeFilter(after=datetime.fromtimestamp(99, UTC), before=datetime.fromtimestamp(100, UTC))
    assert [one.name for one in Action.listall("r", created_at=recent)] == ["a"]
    # A question that waits for its answer is paused, and to the platform an action that runs.
    assert [one.phase for one in Action.listall("r", in_phase=("paused",))] == [ActionPhase.PAUSED]
    assert [one.name for one in Action.listall("r", in_phase=(ActionPhase.RUNNING,))] == ["c", "b"]
    with pytest.raises(ValueError, match="give the phase paused alone"):
        list(Run.listall(in_phase=("paused", "failed")))


def test_what_a_script_got_without_awaiting_may_still_be_awaited(platform: FakePlatform) -> None:
    platform.script.actions.append(ActionState(phase=phase_pb2.PHASE_SUCCEEDED))
    platform.script.actions[0].id.name = "a0"
    action = Action.get(run_name="r")
    assert asyncio.run(action.details()).name == asyncio.run(action.wait()).name == "a0"
    assert asyncio.run(action.details().inputs()) == {}


def test_a_folder_goes_through_the_platform_where_the_store_cannot_be_written(
    platform: FakePlatform, tmp_path: Any
) -> None:
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "\u00fc 1.txt").write_text("x")
    (folder / "empty").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        upload_dir(tmp_path / "none")
    for uri in (upload_dir(folder), Dir.from_local_sync(folder).path, _given(Dir(path=str(folder)))):
        assert uri.endswith("/pictures")
        kept = {name: content for name, content in platform.script.folders.items() if name.startswith(f"{uri}/")}
        assert kept == {f"{uri}/deep/\u00fc 1.txt": b"x", f"{uri}/empty": b""}
    assert upload_dir(folder, prefix="mine/2024").endswith("/mine/2024")
    (tmp_path / "nothing").mkdir()
    assert upload_dir(tmp_path / "nothing").endswith("/nothing")
    assert _given(Dir.empty()) == ""
    assert upload_file(folder / "empty", content_type="text/plain")[0]


def test_objects_show_their_message_and_what_people_look_for_first(platform: FakePlatform) -> None:
    project = Project.create("shop", "The shop")
    assert (project.pb2.id, project.pb2.name) == ("shop", "The shop")
    assert dict(project.__rich_repr__())["id"] == "shop"
    trigger = Trigger.create(CRON, "shop.price", "v1")
    shown = dict(trigger.__rich_repr__())
    assert (shown["name"], shown["task_name"], shown["is_active"]) == ("morning", "shop.price", False)


def _given(folder: Dir[Any]) -> str:
    """The address of a folder that is an input."""
    return codec_for(Dir).encode(folder, name="folder").reference.uri
