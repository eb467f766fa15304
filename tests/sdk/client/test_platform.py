"""Talking to a platform: submission, results, failures, restarts. The platform is a fake; the wire is real."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from tests.sdk.client.fake_platform import FakePlatform

import flyte
import flyte.errors
from flyte.client.failures import no_platform
from flyte.client.init import set_settings
from flyte.client.settings import ClientSettings
from flyte.remote import Action, ActionDetails, Project, Run, Task, Trigger, User, upload_file
from flyte.remote.failures import traceback_of
from flyte.spec.phases import ActionPhase
from flyteapi.admin.v1.run_service_pb2 import GetActionDataResponse, WatchRunRequest, WatchRunResponse
from flyteapi.admin.v1.run_service_pb2 import Run as RunMessage
from flyteapi.common.v1 import error_pb2, phase_pb2
from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.scheduler.v1.event_pb2 import ActionHeader, Event
from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState
from flyteapi.task.v1.value_pb2 import NamedValues, Payload, PayloadReference

PROGRAM = """
import flyte

env = flyte.TaskEnvironment(name="shop", env_vars={"A": "1"})


@env.task
async def price(x: int, y: int = 2) -> int:
    return x * y
"""


def outputs(**values: int) -> Payload:
    named = NamedValues()
    for name, value in values.items():
        named.values.add(name=name).value.int = value
    return Payload(inline=named.SerializeToString())


def event(sequence: int, phase: phase_pb2.Phase.ValueType, **more: Any) -> Event:
    return Event(sequence=sequence, action=more.pop("action", "a0"), phase=phase, attempt=1, **more)


def whole_run(*events: Event) -> Any:
    async def watch(request: WatchRunRequest) -> AsyncIterator[WatchRunResponse]:
        wanted = [one for one in events if one.sequence >= request.from_sequence]
        yield WatchRunResponse(events=wanted, next_sequence=events[-1].sequence + 1)
        yield WatchRunResponse(ended=True, next_sequence=events[-1].sequence + 1)

    return watch


SUCCEEDED = whole_run(
    event(1, phase_pb2.PHASE_QUEUED, header=ActionHeader(task_name="shop.price")),
    event(2, phase_pb2.PHASE_RUNNING),
    event(3, phase_pb2.PHASE_SUCCEEDED, outputs=outputs(o0=14)),
)


def test_a_run_is_submitted_with_code_inputs_and_settings(platform: FakePlatform, user_module: Any) -> None:
    price = user_module("shop", PROGRAM).price
    run = flyte.with_runcontext(name="r1", env_vars={"B": "2"}, task_queue="fast").run(price, 7)
    request = platform.script.created[0]
    assert run.name == "r1"
    assert request.run.project == "flytesnacks"
    assert request.spec.name == "shop.price"
    assert (request.spec.entrypoint.module, request.spec.entrypoint.attribute) == ("shop", "price")
    assert (platform.script.store / f"{request.spec.entrypoint.bundle_digest}.tar.gz").is_file()
    assert dict(request.settings.env) == {"B": "2"}
    assert request.settings.queue == "fast"
    assert [named.value.int for named in NamedValues.FromString(request.inputs.inline).values] == [7, 2]
    assert len(request.inputs_digest) == 32
    assert len(request.request_id) == 32


def test_outputs_come_with_the_last_event_and_are_typed(platform: FakePlatform, user_module: Any) -> None:
    platform.script.watch = SUCCEEDED
    run = flyte.run(user_module("shop", PROGRAM).price, x=7)
    assert run.outputs() == (14,)
    assert run.outputs().o0 == 14
    assert run.phase is ActionPhase.SUCCEEDED
    assert run.done()


async def test_a_run_is_awaited_without_blocking(platform: FakePlatform, user_module: Any) -> None:
    platform.script.watch = SUCCEEDED
    run = await flyte.run.aio(user_module("shop", PROGRAM).price, x=7)
    await run.wait.aio()
    assert (await run.outputs.aio()).named_outputs == {"o0": 14}


def test_a_failed_run_raises_the_users_error_with_its_traceback(platform: FakePlatform, user_module: Any) -> None:
    error = error_pb2.TaskError(
        kind=error_pb2.ERROR_KIND_USER, code="KeyError", message="'x'", traceback='File "shop.py", line 9'
    )
    platform.script.watch = whole_run(event(1, phase_pb2.PHASE_FAILED, error=error))
    run = flyte.run(user_module("shop", PROGRAM).price, x=7)
    run.wait()
    assert run.phase is ActionPhase.FAILED
    with pytest.raises(flyte.errors.RuntimeUserError, match="'x'") as caught:
        run.outputs()
    assert caught.value.code == "KeyError"
    assert "shop.py" in traceback_of(caught.value)


@pytest.mark.parametrize(
    ("phase", "kind"),
    [
        (phase_pb2.PHASE_ABORTED, flyte.errors.ActionAbortedError),
        (phase_pb2.PHASE_TIMED_OUT, flyte.errors.TaskTimeoutError),
    ],
)
def test_the_phase_decides_the_error(platform: FakePlatform, user_module: Any, phase: Any, kind: type) -> None:
    platform.script.watch = whole_run(event(1, phase))
    run = flyte.run(user_module("shop", PROGRAM).price, x=7)
    with pytest.raises(kind):
        run.raise_for_status()


def test_a_broken_stream_goes_on_behind_the_last_event(platform: FakePlatform, user_module: Any) -> None:
    calls = 0

    async def watch(request: WatchRunRequest) -> AsyncIterator[WatchRunResponse]:
        nonlocal calls
        calls += 1
        if calls == 1:
            yield WatchRunResponse(events=[event(1, phase_pb2.PHASE_RUNNING)], next_sequence=2)
            return
        async for piece in SUCCEEDED(request):
            yield piece

    platform.script.watch = watch
    run = flyte.run(user_module("shop", PROGRAM).price, x=7)
    assert run.outputs().o0 == 14
    assert platform.script.watched == [1, 2]


def test_waiting_survives_a_restart_of_the_platform(platform: FakePlatform, user_module: Any) -> None:
    started = threading.Event()

    async def endless(request: WatchRunRequest) -> AsyncIterator[WatchRunResponse]:
        import asyncio

        yield WatchRunResponse(events=[event(1, phase_pb2.PHASE_RUNNING)], next_sequence=2)
        started.set()
        await asyncio.Event().wait()

    platform.script.watch = endless
    run = flyte.run(user_module("shop", PROGRAM).price, x=7)
    waiter = threading.Thread(target=run.wait)
    waiter.start()
    assert started.wait(10)
    platform.stop()
    platform.script.watch = SUCCEEDED
    platform.start()
    waiter.join(20)
    assert not waiter.is_alive()
    assert run.phase is ActionPhase.SUCCEEDED
    assert platform.script.watched[-1] == 2


def test_a_reader_that_was_too_slow_asks_for_the_run(platform: FakePlatform, user_module: Any) -> None:
    async def watch(request: WatchRunRequest) -> AsyncIterator[WatchRunResponse]:
        run = platform.script.runs["slow"]
        run.phase = phase_pb2.PHASE_SUCCEEDED
        yield WatchRunResponse(resync=True, next_sequence=900)

    platform.script.watch = watch
    platform.script.data = GetActionDataResponse(outputs=outputs(o0=5))
    run = flyte.with_runcontext(name="slow").run(user_module("shop", PROGRAM).price, x=7)
    assert run.outputs().o0 == 5


def test_large_outputs_are_fetched_and_checked(platform: FakePlatform, user_module: Any) -> None:
    content = outputs(o0=3).inline
    digest = hashlib.sha256(content).digest()
    platform.script.objects[digest] = content
    reference = PayloadReference(uri=f"store://{digest.hex()}", sha256=digest, size_bytes=len(content))
    last = event(1, phase_pb2.PHASE_SUCCEEDED, outputs=Payload(reference=reference))
    platform.script.watch = whole_run(last)
    assert flyte.run(user_module("shop", PROGRAM).price, x=7).outputs().o0 == 3
    reference.sha256 = bytes(32)
    last.outputs.reference.CopyFrom(reference)
    with pytest.raises(flyte.errors.UnionRpcError, match="digest differs"):
        flyte.run(user_module("shop2", PROGRAM).price, x=7).outputs()


def test_an_unchanged_bundle_is_not_sent_again(platform: FakePlatform, user_module: Any) -> None:
    price = user_module("shop", PROGRAM).price
    flyte.run(price, x=7)
    flyte.run(price, x=8)
    assert platform.script.uploads_asked == 1
    digests = {request.spec.entrypoint.bundle_digest for request in platform.script.created}
    assert len(digests) == 1


def test_a_store_elsewhere_is_written_through_the_platform(platform: FakePlatform, user_module: Any) -> None:
    platform.script.gives_urls = False
    flyte.run(user_module("shop", PROGRAM).price, x=7)
    digest = bytes.fromhex(platform.script.created[0].spec.entrypoint.bundle_digest)
    assert hashlib.sha256(platform.script.objects[digest]).digest() == digest


def test_large_inputs_travel_by_reference(platform: FakePlatform, user_module: Any) -> None:
    program = PROGRAM.replace("x: int, y: int = 2) -> int", "x: str) -> str").replace("x * y", "x")
    flyte.run(user_module("shop", program).price, x="a" * 300_000)
    payload = platform.script.created[0].inputs
    assert payload.WhichOneof("place") == "reference"
    assert payload.reference.size_bytes > 300_000


def test_a_dry_run_submits_nothing(platform: FakePlatform, user_module: Any) -> None:
    prepared = flyte.with_runcontext(dry_run=True).run(user_module("shop", PROGRAM).price, x=7)
    assert prepared.request.spec.name == "shop.price"
    assert platform.script.created == []
    assert platform.script.uploads_asked == 0


def test_wrong_inputs_are_refused_before_anything_is_sent(platform: FakePlatform, user_module: Any) -> None:
    price = user_module("shop", PROGRAM).price
    with pytest.raises(TypeError, match="'x'"):
        flyte.run(price, x="seven")
    with pytest.raises(ValueError, match="Missing required inputs: x"):
        flyte.run(price)
    assert platform.script.uploads_asked == 0


def test_something_that_is_no_task_is_refused(platform: FakePlatform) -> None:
    with pytest.raises(TypeError, match="On Flyte tasks can be run, not generic functions"):
        flyte.run(len)


def test_a_platform_that_is_not_there_is_named(tmp_path: Any) -> None:
    set_settings(ClientSettings(endpoint=f"unix:{tmp_path}/nobody.sock"))
    with pytest.raises(flyte.errors.UnionRpcError, match=r"No Flyteplane platform answers at .*`flyte up`"):
        Run.get("r1")


def test_nobody_is_told_to_start_a_platform_of_somebody_else() -> None:
    assert "flyte up" not in str(no_platform("https://flyte.example.org:7000"))


def test_without_a_platform_remote_objects_say_how_to_get_one() -> None:
    with pytest.raises(flyte.errors.InitializationError, match=r"Client has not been initialized.*config file"):
        Run.get("r1")
    with pytest.raises(flyte.errors.InitializationError, match="Configuration has not been") as error:
        flyte.deploy(flyte.TaskEnvironment("shop"))
    assert str(error.value).endswith("with a valid endpoint/api-key before")
    assert "flyte.init_from_config()" in error.value.__notes__[0]
    set_settings(ClientSettings())
    with pytest.raises(flyte.errors.InitializationError, match="flyte up"):
        Run.get("r1")


def test_violations_of_fields_are_part_of_the_message(platform: FakePlatform, user_module: Any) -> None:
    async def abort(method: str, context: Any) -> None:
        from google.rpc import error_details_pb2, status_pb2

        status = status_pb2.Status(code=3, message="the request is wrong")
        violation = error_details_pb2.BadRequest.FieldViolation(field="run.name", description="too long: at most 63")
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
        metadata = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, status.message, metadata)

    platform.script.refuse = abort
    with pytest.raises(flyte.errors.RuntimeUserError, match=r"run\.name: too long: at most 63") as caught:
        flyte.run(user_module("shop", PROGRAM).price, x=7)
    assert caught.value.code == "InvalidArgument"


def test_a_full_queue_is_a_slow_down_with_a_time(platform: FakePlatform, user_module: Any) -> None:
    async def refuse(method: str, context: Any) -> None:
        from google.rpc import error_details_pb2, status_pb2

        status = status_pb2.Status(code=8, message="queue default is full")
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(1500)
        status.details.add().Pack(retry)
        metadata = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, status.message, metadata)

    platform.script.refuse = refuse
    with pytest.raises(flyte.errors.ResourceExhaustedError, match="queue default is full") as caught:
        flyte.run(user_module("shop", PROGRAM).price, x=7)
    assert caught.value.retry_after_s == 1.5  # type: ignore[attr-defined]


def test_a_submission_that_was_interrupted_makes_one_run(platform: FakePlatform, user_module: Any) -> None:
    tries = 0

    async def refuse(method: str, context: Any) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "starting")

    platform.script.refuse = refuse
    flyte.run(user_module("shop", PROGRAM).price, x=7)
    assert tries == 2
    assert len(platform.script.created) == 1


def test_the_api_key_goes_with_every_call(platform: FakePlatform, user_module: Any, tmp_path: Any) -> None:
    set_settings(ClientSettings(endpoint=platform.endpoint, api_key="k1", root_dir=tmp_path))
    flyte.run(user_module("shop", PROGRAM).price, x=7)
    assert ("authorization", "Bearer k1") in platform.script.metadata


def test_aborting_gives_the_reason(platform: FakePlatform, user_module: Any) -> None:
    run = flyte.run(user_module("shop", PROGRAM).price, x=7)
    run.abort("not needed")
    assert platform.script.aborted[0].reason == "not needed"
    assert run.phase is ActionPhase.ABORTED
    with pytest.raises(flyte.errors.ActionAbortedError, match="not needed"):
        run.outputs()


def test_lists_are_read_page_by_page(platform: FakePlatform) -> None:
    for number in range(25):
        message = RunMessage(task_name="shop.price", phase=phase_pb2.PHASE_QUEUED)
        message.id.name = f"r{number}"
        platform.script.runs[f"r{number}"] = message
    assert [run.name for run in Run.listall(limit=3)] == ["r0", "r1", "r2"]
    assert len(list(Run.listall())) == 25
    with pytest.raises(ValueError, match="no phase of an action"):
        list(Run.listall(in_phase=("bogus",)))


def test_logs_are_lines_whatever_the_pieces(platform: FakePlatform, user_module: Any) -> None:
    platform.script.logs = [b"one\ntw", b"o\nth", "ré".encode()[:2], "ré".encode()[2:], b"e"]
    run = flyte.run(user_module("shop", PROGRAM).price, x=7)
    assert list(run.get_logs()) == ["one", "two", "thrée"]
    with pytest.warns(UserWarning, match="without the time of each line"):
        assert list(run.get_logs(show_ts=True)) == ["one", "two", "thrée"]


def test_a_terminal_shows_the_last_lines_in_a_box_and_a_pipe_gets_all(
    platform: FakePlatform, user_module: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.script.logs = [b"one\ntwo\nthree\n"]
    run = flyte.run(user_module("shop", PROGRAM).price, x=7)
    run.show_logs(max_lines=2)
    assert capsys.readouterr().out == "one\ntwo\nthree\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    run.show_logs(max_lines=2)
    last_box = capsys.readouterr().out.rpartition("╭")[2]
    assert [word for word in ("one", "two", "three") if word in last_box] == ["two", "three"]
    run.show_logs(max_lines=2, raw=True)
    assert capsys.readouterr().out == "one\ntwo\nthree\n"
    with pytest.raises(ValueError, match="max_lines"):
        run.show_logs(max_lines=0)


def test_actions_are_found_by_name(platform: FakePlatform) -> None:
    state = ActionState(phase=phase_pb2.PHASE_FAILED, header=ActionHeader(task_name="shop.price", parent="a0"))
    state.id.name = "child"
    state.error.message = "boom"
    platform.script.actions.append(state)
    action = Action.get(run_name="r1", name="child")
    assert (action.phase, action.parent_name, action.done()) == (ActionPhase.FAILED, "a0", True)
    assert ActionDetails.get(run_name="r1", name="child").error_message == "boom"
    with pytest.raises(flyte.errors.ActionNotFoundError, match="no action other"):
        Action.get(run_name="r1", name="other")


def test_deployed_tasks_are_run_by_name(platform: FakePlatform, user_module: Any) -> None:
    module = user_module("shop", PROGRAM)
    (deployment,) = flyte.deploy(module.env)
    assert deployment.tasks == ("shop.price",)
    assert flyte.deploy(module.env)[0].version == deployment.version
    flyte.run(Task.get("shop.price", auto_version="latest"), 6)
    request = platform.script.created[-1]
    assert request.deployed.version == deployment.version
    assert [named.value.int for named in NamedValues.FromString(request.inputs.inline).values] == [6, 2]
    with pytest.raises(flyte.errors.RemoteTaskNotFoundError, match=r"no task shop\.other"):
        Task.get("shop.other", auto_version="latest").fetch()


def test_deploying_what_is_no_environment_is_refused(platform: FakePlatform, user_module: Any) -> None:
    with pytest.raises(TypeError, match="Expected TaskEnvironment"):
        flyte.deploy("shop")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Version must be set"):
        flyte.deploy(user_module("shop", PROGRAM).env, copy_style="none")


def test_projects_and_the_caller(platform: FakePlatform) -> None:
    assert Project.create("p1", "P one").domains == ("development",)
    assert [project.id for project in Project.listall()] == ["p1"]
    with pytest.raises(flyte.errors.RuntimeUserError, match="exists") as caught:
        Project.create("p1", "again")
    assert caught.value.code == "AlreadyExists"
    assert User.get().name() == "laptop"


def test_files_are_uploaded_by_content(platform: FakePlatform, tmp_path: Any) -> None:
    (tmp_path / "a.txt").write_text("hello")
    md5, uri = upload_file(tmp_path / "a.txt")
    assert md5 == hashlib.md5(b"hello", usedforsecurity=False).hexdigest()
    assert uri.endswith(f"{hashlib.sha256(b'hello').hexdigest()}.tar.gz")


def test_two_environments_of_one_name_are_refused(platform: FakePlatform, user_module: Any) -> None:
    program = (
        PROGRAM + '\nother = flyte.TaskEnvironment(name="shop")\n'
        'top = flyte.TaskEnvironment(name="top", depends_on=[env, other])\n\n'
        "@top.task\nasync def main() -> int:\n    return 1\n"
    )
    with pytest.raises(ValueError, match="Duplicate environment name 'shop'"):
        flyte.run(user_module("shop", program).main)


def test_lists_are_read_page_after_page_and_no_further_than_is_wanted(platform: FakePlatform) -> None:
    set_settings(ClientSettings(endpoint=platform.endpoint, batch_size=2))
    for number in range(5):
        Project.create(f"p{number}", "P")
        Trigger.create(flyte.Trigger(f"t{number}", flyte.Cron("0 * * * *")), "e.f")
        platform.script.runs[f"r{number}"] = RunMessage(id=RunId(name=f"r{number}"))
    assert [project.id for project in Project.listall()] == [f"p{number}" for number in range(5)]
    assert [trigger.name for trigger in Trigger.listall()] == [f"t{number}" for number in range(5)]
    assert [trigger.name for trigger in Trigger.listall(limit=3)] == ["t0", "t1", "t2"]
    assert [run.name for run in Run.listall(limit=3)] == ["r0", "r1", "r2"]
    assert not list(Run.listall(limit=0))
