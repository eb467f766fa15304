"""How calls end: errors, cancellation, deadlines, stopping servers; alike over the network and inside the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from tests.support.log_lines import LogLines

from flyteplane.foundation.errors import (
    Aborted,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PlatformError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from flyteplane.rpc.errors import errors_from_call
from flyteplane.rpc.interceptors import Interceptors

from .conftest import Echo, OpenEcho


async def error_of(call: Any) -> PlatformError:
    """What the client makes of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return errors_from_call(raised.value)


def failing(error: BaseException) -> Any:
    async def once(request: Any, context: Any) -> Any:
        raise error

    return once


async def test_a_platform_error_arrives_with_all_its_parts(echo: Echo) -> None:
    echo.script.once = failing(
        InvalidArgument(
            "too much memory",
            reason="MEMORY_LIMIT",
            field="task.resources.memory",
            limit="64 GiB",
            mend="Ask for less.",
            metadata={"class": "large"},
        )
    )
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await echo.stub.Once(echo.note())
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert raised.value.details() == "task.resources.memory: too much memory (limit: 64 GiB). Ask for less."
    error = errors_from_call(raised.value)
    assert type(error) is InvalidArgument
    assert (error.reason, error.field, error.limit, error.mend) == (
        "MEMORY_LIMIT",
        "task.resources.memory",
        "64 GiB",
        "Ask for less.",
    )
    assert error.metadata["class"] == "large"
    assert error.__cause__ is raised.value


@pytest.mark.parametrize("letter", ["n", "\N{SNOWMAN}"])
async def test_an_error_that_quotes_much_arrives_as_itself(echo: Echo, letter: str) -> None:
    much = letter * 1_000_000
    echo.script.once = failing(
        NotFound(f"there is no {much}", reason="TASK_NOT_FOUND", field=much, mend="Look.", metadata={"name": much})
    )
    # Clients take trailers of more than 8 KiB by chance: now and then is not enough.
    errors = [await error_of(echo.stub.Once(echo.note())) for _ in range(5)]
    assert {(type(error), error.reason, error.mend) for error in errors} == {(NotFound, "TASK_NOT_FOUND", "Look.")}
    assert all(f"there is no {letter}" in error.message for error in errors)
    if echo.kind != "inprocess":
        assert max(len(error.message) for error in errors) < 2000


async def test_retry_information_arrives(echo: Echo) -> None:
    echo.script.once = failing(ResourceExhausted("the queue is full", reason="QUEUE_FULL", retry_after_s=1.5))
    error = await error_of(echo.stub.Once(echo.note()))
    assert type(error) is ResourceExhausted
    assert error.retry_after_s == 1.5


async def test_an_unexpected_error_tells_an_id_and_no_internals(echo: Echo, log_lines: LogLines) -> None:
    echo.script.once = failing(RuntimeError("password is hunter2"))
    error = await error_of(echo.stub.Once(echo.note()))
    assert error.reason == "INTERNAL"
    assert "hunter2" not in error.message
    assert error.metadata["id"] in error.message
    (line,) = log_lines.all("unexpected_error")
    assert line["id"] == error.metadata["id"]
    assert "hunter2" in line["exception"]


async def test_the_status_of_another_system_does_not_pass_through(echo: Echo) -> None:
    foreign = grpc.aio.AioRpcError(
        grpc.StatusCode.NOT_FOUND,
        grpc.aio.Metadata(),
        grpc.aio.Metadata(),
        details="etcdserver: requested lease not found",
    )
    echo.script.once = failing(foreign)
    error = await error_of(echo.stub.Once(echo.note()))
    assert error.reason == "INTERNAL"
    assert "etcd" not in error.message


async def test_the_error_of_a_platform_service_passes_through(echo: Echo) -> None:
    async def once(request: Any, context: Any) -> Any:
        if request.number == 0:
            raise NotFound("run r1 does not exist", reason="RUN_NOT_FOUND")
        return await echo.stub.Once(echo.note(number=request.number - 1))

    echo.script.once = once
    error = await error_of(echo.stub.Once(echo.note(number=2)))
    assert type(error) is NotFound
    assert (error.reason, error.message) == ("RUN_NOT_FOUND", "run r1 does not exist")


async def test_a_servicer_may_abort_by_itself(echo: Echo) -> None:
    async def once(request: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.OUT_OF_RANGE, "beyond", (("hint", "lower"),))

    echo.script.once = once
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await echo.stub.Once(echo.note())
    assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.OUT_OF_RANGE, "beyond")
    assert dict(raised.value.trailing_metadata() or ())["hint"] == "lower"


async def test_a_method_that_is_not_there_is_unimplemented(echo: Echo) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await echo.stub.Missing(echo.note())
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await echo.stub.MissingStream().read()
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_an_error_in_a_stream_comes_after_the_messages_before_it(echo: Echo) -> None:
    async def repeat(request: Any, context: Any) -> AsyncIterator[Any]:
        yield echo.note(number=1)
        yield echo.note(number=2)
        raise Aborted("a newer leader writes here", reason="FENCED")

    echo.script.repeat = repeat
    call = echo.stub.Repeat(echo.note())
    assert [(await call.read()).number, (await call.read()).number] == [1, 2]
    assert (await error_of(call.read())).reason == "FENCED"


async def test_an_error_in_a_conversation_reaches_the_reader(echo: Echo) -> None:
    async def converse(requests: Any, context: Any) -> AsyncIterator[Any]:
        async for note in requests:
            yield note
            raise NotFound("gone", reason="GONE")

    echo.script.converse = converse
    call = echo.stub.Converse()
    await call.write(echo.note(number=7))
    assert (await call.read()).number == 7
    error = await error_of(call.read())
    assert (type(error), error.reason) == (NotFound, "GONE")


async def test_cancelling_the_waiting_task_cancels_the_servicer(echo: Echo) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def once(request: Any, context: Any) -> Any:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def wait_for_it() -> None:
        await echo.stub.Once(echo.note())

    echo.script.once = once
    waiting = asyncio.create_task(wait_for_it())
    await asyncio.wait_for(started.wait(), 30)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.wait_for(cancelled.wait(), 30)


async def test_cancelling_a_conversation_cancels_both_sides(echo: Echo) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def converse(requests: Any, context: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    echo.script.converse = converse
    call = echo.stub.Converse()
    await call.write(echo.note())
    await asyncio.wait_for(started.wait(), 30)
    reading = asyncio.create_task(call.read())
    await asyncio.sleep(0)
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await asyncio.wait_for(cancelled.wait(), 30)
    assert call.cancelled()
    assert not call.cancel()
    assert await call.code() is grpc.StatusCode.CANCELLED


async def test_an_iterator_that_fails_cancels_the_call(echo: Echo) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def collect(requests: Any, context: Any) -> Any:
        started.set()
        try:
            async for _ in requests:
                pass
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def broken() -> AsyncIterator[Any]:
        yield echo.note()
        await started.wait()
        raise ValueError("no more")

    echo.script.collect = collect
    with pytest.raises(asyncio.CancelledError):
        await echo.stub.Collect(broken())
    await asyncio.wait_for(cancelled.wait(), 30)


async def test_a_deadline_ends_the_call_and_the_servicer(echo: Echo) -> None:
    cancelled = asyncio.Event()

    async def once(request: Any, context: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    echo.script.once = once
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await echo.stub.Once(echo.note(), timeout=0.5)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.wait_for(cancelled.wait(), 30)


async def test_a_deadline_ends_a_stream(echo: Echo) -> None:
    async def repeat(request: Any, context: Any) -> AsyncIterator[Any]:
        yield echo.note(number=1)
        await asyncio.Event().wait()

    echo.script.repeat = repeat
    call = echo.stub.Repeat(echo.note(), timeout=1.0)
    assert (await call.read()).number == 1
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call.read()
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_writing_to_a_call_that_has_ended_is_refused(echo: Echo) -> None:
    async def converse(requests: Any, context: Any) -> None:
        await context.write(echo.note())

    echo.script.converse = converse
    call = echo.stub.Converse()
    assert [note async for note in call] == [echo.note()]
    with pytest.raises((asyncio.InvalidStateError, grpc.aio.AioRpcError)):
        await call.write(echo.note())


async def test_a_stopping_server_lets_running_calls_end_and_refuses_new_ones(echo: Echo) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def once(request: Any, context: Any) -> Any:
        started.set()
        await go_on.wait()
        return request

    echo.script.once = once
    running = echo.stub.Once(echo.note("kept"))
    await asyncio.wait_for(started.wait(), 30)
    stopping = asyncio.create_task(echo.stop(5))
    await asyncio.sleep(0.05)
    assert type(await error_of(echo.stub.Once(echo.note(), timeout=2))) is Unavailable
    go_on.set()
    assert (await running).text == "kept"
    await asyncio.wait_for(stopping, 30)


async def test_a_stopped_server_ends_calls_that_would_not_end(echo: Echo) -> None:
    started = asyncio.Event()

    async def once(request: Any, context: Any) -> Any:
        started.set()
        await asyncio.Event().wait()

    echo.script.once = once
    running = echo.stub.Once(echo.note())
    await asyncio.wait_for(started.wait(), 30)
    await asyncio.wait_for(echo.stop(0), 30)
    with pytest.raises(grpc.aio.AioRpcError):
        await running


class Refusing(grpc.aio.ServerInterceptor):
    """Lets in only calls with a token."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        metadata = dict(handler_call_details.invocation_metadata)
        if "ticket" not in metadata:
            raise Unauthenticated("no credentials were given", reason="NO_CREDENTIALS")
        if metadata["ticket"] != "good":
            raise PermissionDenied(f"{handler_call_details.method} is not allowed", reason="DENIED")
        return await continuation(handler_call_details)


async def test_interceptors_guard_every_form_of_call(open_echo: OpenEcho) -> None:
    echo = await open_echo(Interceptors(identity=[Refusing()]))

    async def once(request: Any, context: Any) -> Any:
        return request

    async def converse(requests: Any, context: Any) -> AsyncIterator[Any]:
        async for note in requests:
            yield note

    echo.script.once, echo.script.converse = once, converse
    assert (await error_of(echo.stub.Once(echo.note()))).reason == "NO_CREDENTIALS"
    assert (await error_of(echo.stub.Converse().read())).reason == "NO_CREDENTIALS"
    assert (await error_of(echo.stub.Collect([]))).reason == "NO_CREDENTIALS"
    bad = (("ticket", "bad"),)
    assert type(await error_of(echo.stub.Once(echo.note(), metadata=bad))) is PermissionDenied
    good = (("ticket", "good"),)
    assert (await echo.stub.Once(echo.note("in"), metadata=good)).text == "in"
    call = echo.stub.Converse(metadata=good)
    await call.write(echo.note("stream"))
    assert (await call.read()).text == "stream"
    call.cancel()


class Noting(grpc.aio.ServerInterceptor):
    """Notes its turn."""

    def __init__(self, name: str, turns: list[str]) -> None:
        self._name = name
        self._turns = turns

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        self._turns.append(self._name)
        return await continuation(handler_call_details)


async def test_interceptors_run_in_the_declared_order(open_echo: OpenEcho) -> None:
    turns: list[str] = []
    places = Interceptors(
        limits=[Noting("limits", turns)],
        identity=[Noting("identity", turns)],
        observation=[Noting("observation", turns)],
    )
    echo = await open_echo(places)

    async def once(request: Any, context: Any) -> Any:
        return request

    echo.script.once = once
    await echo.stub.Once(echo.note())
    assert turns == ["observation", "identity", "limits"]
