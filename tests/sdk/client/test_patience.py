"""Changes asked of a platform that goes away: once there was a connection they are asked for again, and done once."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2, status_pb2
from google.rpc.error_details_pb2 import ErrorInfo
from tests.sdk.client.fake_platform import FakePlatform

import flyte
from flyte.authoring.logs import system_logger
from flyte.cli import (
    cached_results,
    class_commands,
    key_commands,
    pool_commands,
    queue_commands,
    role_commands,
)
from flyte.client.channel import connection
from flyte.client.init import set_settings
from flyte.client.settings import ClientSettings
from flyte.client.upload import upload
from flyte.errors import BaseRuntimeError, ResourceExhaustedError, RuntimeUserError, UnionRpcError
from flyte.remote import Project, Run, Secret, Trigger
from flyte.syncify import BackgroundLoop, syncify
from flyteapi.admin.v1.data_service_pb2 import OBJECT_KIND_INPUT_FILE
from flyteapi.admin.v1.identity_service_pb2 import Grant
from flyteapi.admin.v1.run_service_pb2 import Run as RunMessage
from flyteapi.scheduler.v1.queue_service_pb2 import Queue
from flyteapi.scheduler.v1.resource_class_service_pb2 import ResourceClass

PROGRAM = """
import flyte

env = flyte.TaskEnvironment(name="shop")


@env.task
async def price(x: int, y: int = 2) -> int:
    return x * y
"""


class Heard(logging.Handler):
    """Hears the line with which the SDK says that it goes on trying."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.said = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.said.set()


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler = Heard()
    system_logger.addHandler(handler)
    yield handler
    system_logger.removeHandler(handler)


class LosesTheAnswer:
    """The platform takes what it is asked for, and dies before it has said so."""

    def __init__(self) -> None:
        self.taken = threading.Event()

    async def __call__(self, name: str, context: Any) -> None:
        import asyncio

        self.taken.set()
        await asyncio.Event().wait()


def in_background(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Makes a call on another thread, and keeps what came of it."""
    came: list[Any] = []

    def made() -> None:
        try:
            came.append(call())
        except BaseRuntimeError as error:
            came.append(error)

    thread = threading.Thread(target=made)
    thread.start()
    return thread, came


def settings(platform: FakePlatform, **changed: Any) -> None:
    set_settings(ClientSettings(endpoint=platform.endpoint, root_dir=platform.script.store.parent, **changed))


def test_a_run_that_was_taken_by_a_platform_that_died_is_submitted_again_and_is_one_run(
    platform: FakePlatform, user_module: Any, heard: Heard
) -> None:
    price, lost = user_module("shop", PROGRAM).price, LosesTheAnswer()
    platform.script.lose = lost
    thread, came = in_background(lambda: flyte.run(price, x=7))
    assert lost.taken.wait(60)
    platform.stop()
    platform.script.lose = None
    assert heard.said.wait(60), "beyond what gRPC repeats by itself"
    platform.start()
    thread.join(60)
    assert [run.name for run in came] == ["generated"]
    assert len(platform.script.created) == 1
    assert "trying again until" in heard.lines[0]
    assert len(heard.lines) == 1


def test_where_nobody_was_ever_met_a_change_fails_at_once_and_nothing_was_sent(
    platform: FakePlatform, user_module: Any, heard: Heard, tmp_path: Path
) -> None:
    platform.stop()
    settings(platform, patience_s=3600.0)
    with pytest.raises(UnionRpcError, match="flyte up") as nobody:
        flyte.run(user_module("shop", PROGRAM).price, x=7)
    assert nobody.value.code == "PlatformUnavailable"
    assert heard.lines == []
    platform.start()
    assert flyte.run(user_module("shop2", PROGRAM).price, x=7).name == "generated"


@pytest.mark.parametrize("name", ["mine", ""])
def test_a_platform_that_stays_away_leaves_word_of_what_may_have_happened(
    platform: FakePlatform, user_module: Any, name: str
) -> None:
    settings(platform, patience_s=0.2)
    lost = LosesTheAnswer()
    platform.script.lose = lost
    runner = flyte.with_runcontext(name=name or None)
    thread, came = in_background(lambda: runner.run(user_module("shop", PROGRAM).price, x=7))
    assert lost.taken.wait(60)
    platform.stop()
    thread.join(60)
    (error,) = came
    assert isinstance(error, UnionRpcError)
    assert error.code == "OutcomeUnknown"
    assert "may have been taken" in str(error)
    wanted = "flyte get run mine" if name else platform.script.created[0].request_id
    assert wanted in str(error)


def test_a_connection_that_was_made_before_is_remembered_although_the_platform_is_away(
    platform: FakePlatform, heard: Heard
) -> None:
    Project.create("shop", "Shop")
    platform.stop()
    thread, came = in_background(lambda: Project.create("stall", "Stall"))
    assert heard.said.wait(60)
    platform.start()
    thread.join(60)
    assert [project.id for project in came] == ["stall"]


def test_where_nothing_could_be_sent_nothing_is_in_doubt(platform: FakePlatform, heard: Heard) -> None:
    settings(platform, patience_s=0.2)
    Project.create("shop", "Shop")
    platform.stop()
    time_of_the_first = len(heard.lines)
    with pytest.raises(UnionRpcError) as first:
        Project.create("stall", "Stall")
    # The first may still find a connection that looks whole. The next one knows that there is none.
    assert first.value.code in ("PlatformUnavailable", "OutcomeUnknown")
    with pytest.raises(UnionRpcError) as second:
        Project.create("stall", "Stall")
    assert second.value.code == "PlatformUnavailable"
    assert len(heard.lines) == time_of_the_first + 2


@dataclass
class Everything(grpc.GenericRpcHandler):
    """A platform that answers every call with an empty message, once it has been asked often enough."""

    fails: int = 0
    status: Callable[[], status_pb2.Status] | None = None
    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    asked: dict[str, list[bytes]] = field(default_factory=dict)

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        name = details.method.rpartition("/")[2]

        async def answer(request: bytes, context: Any) -> bytes:
            calls = self.asked.setdefault(name, [])
            calls.append(request)
            if len(calls) <= self.fails:
                if self.status is not None:
                    said = self.status()
                    code = next(each for each in grpc.StatusCode if each.value[0] == said.code)
                    details = (("grpc-status-details-bin", said.SerializeToString()),)
                    await context.abort(code, said.message, trailing_metadata=details)
                await context.abort(self.code, "Socket closed")
            return b""

        async def whole(requests: Any, context: Any) -> bytes:
            return await answer(b"".join([request async for request in requests]), context)

        if name == "UploadObject":
            return grpc.stream_unary_rpc_method_handler(whole)
        return grpc.unary_unary_rpc_method_handler(answer)


@pytest.fixture
def everything(tmp_path: Path) -> Iterator[Everything]:
    handler, background = Everything(), BackgroundLoop(name="everything")
    endpoint = f"unix:{tmp_path}/all.sock"

    async def start() -> grpc.aio.Server:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((handler,))
        server.add_insecure_port(endpoint)
        await server.start()
        return server

    server = background.run(start(), what="start")
    set_settings(ClientSettings(endpoint=endpoint, rpc_retries=1))
    yield handler
    background.run(server.stop(None), what="stop")
    loop = background.loop()
    loop.call_soon_threadsafe(loop.stop)


@syncify
async def upload_something() -> None:
    await upload(connection(), b"x" * 10, kind=OBJECT_KIND_INPUT_FILE, project="p", domain="d", filename="f")


def a_run() -> Run:
    return Run(RunMessage())


RESULTS = cached_results.Chosen.of(task_name="e.f", version="", older_than=None, shared=False)
CHANGES: dict[str, Callable[[], Any]] = {
    "RerunRun": lambda: flyte.rerun("r1"),
    "AbortRun": lambda: a_run().abort(),
    "CreateProject": lambda: Project.create("p", "P"),
    "UpdateProject": lambda: Project.update("p", description="new"),
    "PutTrigger": lambda: Trigger.create(flyte.Trigger("t", flyte.Cron("0 * * * *")), "e.f"),
    "SetTriggerActive": lambda: Trigger.update("t", "e.f", True),
    "DeleteTrigger": lambda: Trigger.delete("t", "e.f"),
    "CreateSecret": lambda: Secret.create("s", "value"),
    "UpdateSecret": lambda: Secret.update("s", "value"),
    "DeleteSecret": lambda: Secret.delete("s"),
    "CreateApiKey": lambda: key_commands.create_key("k", Grant(), timedelta(days=1)),
    "RevokeApiKey": lambda: key_commands.revoke_key("k"),
    "GrantRole": lambda: role_commands.give_role("oidc:a", Grant()),
    "RevokeRole": lambda: role_commands.take_role("oidc:a", Grant()),
    "PutQueue": lambda: queue_commands.put(Queue(name="q"), must_be_new=True),
    "DrainQueue": lambda: queue_commands.drain("q", resume=False),
    "DeleteQueue": lambda: queue_commands.remove("q"),
    "PutResourceClass": lambda: class_commands.put(ResourceClass(name="c"), must_be_new=True),
    "DeleteResourceClass": lambda: class_commands.remove("c"),
    "DrainPool": lambda: pool_commands.drain("pool"),
    "ResizePool": lambda: pool_commands.resize("pool", (1, 2)),
    "Invalidate": lambda: cached_results.delete_results(RESULTS),
    "UploadObject": upload_something,
}


@pytest.mark.parametrize("rpc", CHANGES)
def test_every_change_is_asked_for_again_in_the_same_words(everything: Everything, rpc: str) -> None:
    everything.fails = 3
    CHANGES[rpc]()
    requests = everything.asked[rpc]
    assert len(requests) == 4, "twice by gRPC, and then by patience"
    assert len(set(requests)) == 1, "the request id is the same"
    if rpc in ("CreateProject", "UpdateProject", "CreateApiKey", "PutTrigger", "SetTriggerActive", "DeleteTrigger"):
        CHANGES[rpc]()
        assert len(set(requests)) == 2, "another call has an id of its own"


@pytest.mark.parametrize("code", [grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL])
def test_words_of_grpc_about_a_connection_that_broke_are_no_refusal(everything: Everything, code: Any) -> None:
    everything.fails, everything.code = 2, code
    Project.create("p", "P")
    assert len(everything.asked["CreateProject"]) == 3


def refusal(code: int, reason: str) -> Callable[[], status_pb2.Status]:
    def made() -> status_pb2.Status:
        status = status_pb2.Status(code=code, message="no")
        status.details.add().Pack(ErrorInfo(reason=reason))
        return status

    return made


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (code_pb2.INVALID_ARGUMENT, RuntimeUserError),
        (code_pb2.RESOURCE_EXHAUSTED, ResourceExhaustedError),
        (code_pb2.INTERNAL, UnionRpcError),
    ],
)
def test_what_the_platform_refuses_is_never_repeated(everything: Everything, code: int, kind: type) -> None:
    everything.fails, everything.status = 9, refusal(code, "BECAUSE")
    with pytest.raises(kind):
        Project.create("p", "P")
    assert len(everything.asked["CreateProject"]) == 1


@pytest.mark.parametrize(
    ("reason", "code"), [("NOT_LEADER", "PlatformUnavailable"), ("STORE_OUTCOME_UNKNOWN", "OutcomeUnknown")]
)
def test_a_platform_that_says_that_nothing_was_done_leaves_no_doubt(
    everything: Everything, reason: str, code: str
) -> None:
    set_settings(ClientSettings(endpoint=connection_endpoint(), rpc_retries=1, patience_s=0.1))
    everything.fails, everything.status = 10**6, refusal(code_pb2.UNAVAILABLE, reason)
    with pytest.raises(UnionRpcError) as error:
        Project.create("p", "P")
    assert error.value.code == code


def test_a_refusal_after_a_lost_answer_says_that_it_may_have_been_that_request(everything: Everything) -> None:
    calls = Counter[str]()

    def taken() -> status_pb2.Status:
        calls["all"] += 1
        if calls["all"] <= 2:  # those of gRPC
            return refusal(code_pb2.UNAVAILABLE, "STORE_OUTCOME_UNKNOWN")()
        return refusal(code_pb2.ALREADY_EXISTS, "QUEUE_EXISTS")()

    everything.fails, everything.status = 9, taken
    with pytest.raises(RuntimeUserError) as error:
        Project.create("p", "P")
    assert error.value.code == "AlreadyExists"
    assert any("may have been done" in note for note in error.value.__notes__)


def test_nothing_is_repeated_for_whoever_asks_for_no_retries(everything: Everything) -> None:
    set_settings(ClientSettings(endpoint=connection_endpoint(), rpc_retries=0))
    everything.fails = 10**6
    began = time.monotonic()
    with pytest.raises(UnionRpcError) as error:
        Project.create("p", "P")
    assert error.value.code == "OutcomeUnknown"
    assert time.monotonic() - began < 20
    assert len(everything.asked["CreateProject"]) <= 2


def connection_endpoint() -> str:
    from flyte.client.init import require_settings

    return require_settings().endpoint or ""
