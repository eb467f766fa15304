"""Connections of people whom nobody knows yet hold up neither the console nor the process that it is part of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from flyteplane.console.serving import MOST_CONNECTIONS, Serving
from flyteplane.console.settings import ConsoleSettings
from flyteplane.foundation.clock import SystemClock

ASKING = b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n"
SETTINGS = ConsoleSettings(host="127.0.0.1", port=0, session_key=bytes(32))


class Taken(asyncio.Protocol):
    """Hands each connection over as soon as it is there."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        self._serving.take(transport, bytearray())


@asynccontextmanager
async def listening(*, first_request_s: float) -> AsyncIterator[int]:
    channel = grpc.aio.insecure_channel("unix:/nowhere")
    serving = Serving(
        SETTINGS, channel=channel, link=None, clock=SystemClock(), port=0, first_request_s=first_request_s
    )
    server = await asyncio.get_running_loop().create_server(lambda: Taken(serving), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await serving.close()


async def test_who_says_nothing_is_dropped_and_who_asked_is_not() -> None:
    async with listening(first_request_s=1.0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASKING)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        silent, _ = await asyncio.open_connection("127.0.0.1", port)
        slow, half = await asyncio.open_connection("127.0.0.1", port)
        half.write(ASKING[:10])
        async with asyncio.timeout(30):
            assert await silent.read() == await slow.read() == b""
        writer.write(ASKING)
        async with asyncio.timeout(30):
            await reader.readuntil(b"HTTP/1.1 200")
        writer.close()


@pytest.mark.parametrize("asked", [True, False])
async def test_more_connections_than_people_have_are_dropped_at_once(asked: bool) -> None:
    async with listening(first_request_s=60.0) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS)]
        reader, writer = held[-1]
        writer.write(ASKING)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        more, one_more = await asyncio.open_connection("127.0.0.1", port)
        if asked:
            one_more.write(ASKING)
        async with asyncio.timeout(30):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await more.readexactly(1)
        for _, writer in held:
            writer.close()
