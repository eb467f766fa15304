"""The four forms of calls behave alike over the network and inside the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from .conftest import Echo


async def never(*_: Any) -> Any:
    await asyncio.Event().wait()


async def test_a_unary_call_returns_the_response(echo: Echo) -> None:
    async def once(request: Any, context: Any) -> Any:
        return echo.note(request.text.upper(), request.number + 1)

    echo.script.once = once
    call = echo.stub.Once(echo.note("hello", 1))
    response = await call
    assert (response.text, response.number) == ("HELLO", 2)
    assert await call.code() is grpc.StatusCode.OK
    assert call.done()
    assert not call.cancelled()


async def test_awaiting_a_call_twice_gives_the_same_response(echo: Echo) -> None:
    async def once(request: Any, context: Any) -> Any:
        return request

    echo.script.once = once
    call = echo.stub.Once(echo.note("x"))
    assert (await call).text == "x"
    assert (await call).text == "x"


async def test_a_call_runs_although_nobody_awaits_it_yet(echo: Echo) -> None:
    arrived = asyncio.Event()

    async def once(request: Any, context: Any) -> Any:
        arrived.set()
        return request

    echo.script.once = once
    call = echo.stub.Once(echo.note("x"))
    await asyncio.wait_for(arrived.wait(), 30)
    assert (await call).text == "x"


async def test_many_calls_at_once_are_answered_each(echo: Echo) -> None:
    async def once(request: Any, context: Any) -> Any:
        await asyncio.sleep(0)
        return request

    echo.script.once = once
    responses = await asyncio.gather(*(echo.stub.Once(echo.note(number=n)) for n in range(50)))
    assert [response.number for response in responses] == list(range(50))


async def test_a_response_stream_is_read_by_iteration(echo: Echo) -> None:
    async def repeat(request: Any, context: Any) -> AsyncIterator[Any]:
        for number in range(request.number):
            yield echo.note(number=number)

    echo.script.repeat = repeat
    assert [note.number async for note in echo.stub.Repeat(echo.note(number=5))] == [0, 1, 2, 3, 4]


async def test_a_response_stream_is_read_one_by_one_to_its_end(echo: Echo) -> None:
    async def repeat(request: Any, context: Any) -> AsyncIterator[Any]:
        yield echo.note("only")

    echo.script.repeat = repeat
    call = echo.stub.Repeat(echo.note())
    assert (await call.read()).text == "only"
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_a_request_stream_from_an_async_iterator(echo: Echo) -> None:
    async def collect(requests: Any, context: Any) -> Any:
        return echo.note(number=sum([note.number async for note in requests]))

    async def numbers() -> AsyncIterator[Any]:
        for number in range(10):
            yield echo.note(number=number)

    echo.script.collect = collect
    assert (await echo.stub.Collect(numbers())).number == 45


async def test_a_request_stream_from_a_plain_list(echo: Echo) -> None:
    async def collect(requests: Any, context: Any) -> Any:
        return echo.note(number=len([note async for note in requests]))

    echo.script.collect = collect
    assert (await echo.stub.Collect([echo.note(), echo.note()])).number == 2


async def test_a_request_stream_by_writing_ends_with_half_close(echo: Echo) -> None:
    async def collect(requests: Any, context: Any) -> Any:
        return echo.note(number=sum([note.number async for note in requests]))

    echo.script.collect = collect
    call = echo.stub.Collect()
    for number in (1, 2, 3):
        await call.write(echo.note(number=number))
    await call.done_writing()
    await call.done_writing()
    assert (await call).number == 6


async def test_a_conversation_by_writing_and_reading(echo: Echo) -> None:
    async def converse(requests: Any, context: Any) -> AsyncIterator[Any]:
        async for note in requests:
            yield echo.note(number=note.number * 2)

    echo.script.converse = converse
    call = echo.stub.Converse()
    for number in range(20):
        await call.write(echo.note(number=number))
        assert (await call.read()).number == number * 2
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_a_conversation_with_an_iterator_on_both_sides(echo: Echo) -> None:
    async def converse(requests: Any, context: Any) -> AsyncIterator[Any]:
        async for note in requests:
            yield note

    async def numbers() -> AsyncIterator[Any]:
        for number in range(30):
            yield echo.note(number=number)

    echo.script.converse = converse
    assert [note.number async for note in echo.stub.Converse(numbers())] == list(range(30))


async def test_a_servicer_may_read_and_write_its_context(echo: Echo) -> None:
    async def converse(_: Any, context: Any) -> None:
        while (note := await context.read()) is not grpc.aio.EOF:
            await context.write(echo.note(number=note.number + 100))

    echo.script.converse = converse
    call = echo.stub.Converse()
    await call.write(echo.note(number=1))
    assert (await call.read()).number == 101
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_responses_may_go_on_after_half_close(echo: Echo) -> None:
    async def converse(requests: Any, context: Any) -> AsyncIterator[Any]:
        count = len([note async for note in requests])
        for number in range(count):
            yield echo.note(number=number)

    echo.script.converse = converse
    call = echo.stub.Converse()
    await call.write(echo.note())
    await call.write(echo.note())
    await call.done_writing()
    assert [note.number async for note in call] == [0, 1]


async def test_more_messages_than_any_buffer_arrive_in_order(echo: Echo) -> None:
    async def converse(requests: Any, context: Any) -> AsyncIterator[Any]:
        async for note in requests:
            yield note

    async def numbers() -> AsyncIterator[Any]:
        for number in range(5000):
            yield echo.note(number=number)

    echo.script.converse = converse
    assert [note.number async for note in echo.stub.Converse(numbers())] == list(range(5000))


async def test_writing_waits_for_a_servicer_that_does_not_read(echo: Echo) -> None:
    echo.script.converse = never
    call = echo.stub.Converse()
    written = 0

    async def write_for_ever() -> None:
        nonlocal written
        while True:
            await call.write(echo.note("x" * 1000))
            written += 1

    writer = asyncio.create_task(write_for_ever())
    before = -1
    while written != before or not written:
        before = written
        await asyncio.sleep(0.2)
    assert 0 < written < 20_000
    writer.cancel()
    await asyncio.wait([writer])


async def test_mixing_an_iterator_with_write_is_refused(echo: Echo) -> None:
    echo.script.converse = never

    async def silent() -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield echo.note()

    call = echo.stub.Converse(silent())
    with pytest.raises(grpc.aio.UsageError):
        await call.write(echo.note())
    call.cancel()


async def test_writing_after_half_close_is_refused(echo: Echo) -> None:
    echo.script.converse = never
    call = echo.stub.Converse()
    await call.done_writing()
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(echo.note())
    call.cancel()


async def test_metadata_reaches_both_sides(echo: Echo) -> None:
    async def once(request: Any, context: Any) -> Any:
        echo.script.seen.append(dict(context.invocation_metadata()))
        await context.send_initial_metadata((("started", "yes"),))
        context.set_trailing_metadata((("cost", "3"), ("raw-bin", b"\x00\x01")))
        return request

    echo.script.once = once
    call = echo.stub.Once(echo.note(), metadata=(("tenant", "x"), ("trace-bin", b"\xff")))
    await call
    assert echo.script.seen[0]["tenant"] == "x"
    assert echo.script.seen[0]["trace-bin"] == b"\xff"
    assert (await call.initial_metadata())["started"] == "yes"
    assert (await call.trailing_metadata())["cost"] == "3"
    assert (await call.trailing_metadata())["raw-bin"] == b"\x00\x01"


async def test_the_servicer_knows_the_deadline(echo: Echo) -> None:
    async def once(request: Any, context: Any) -> Any:
        echo.script.seen.append(context.time_remaining())
        return request

    echo.script.once = once
    await echo.stub.Once(echo.note(), timeout=30)
    assert 25 < echo.script.seen[0] < 31
    await echo.stub.Once(echo.note())
    assert echo.script.seen[1] is None


async def test_done_callbacks_are_called_on_both_sides(echo: Echo) -> None:
    server_done, client_done = asyncio.Event(), asyncio.Event()

    async def once(request: Any, context: Any) -> Any:
        context.add_done_callback(lambda _: server_done.set())
        return request

    echo.script.once = once
    call = echo.stub.Once(echo.note())
    call.add_done_callback(lambda _: client_done.set())
    await call
    await asyncio.wait_for(asyncio.gather(server_done.wait(), client_done.wait()), 30)
