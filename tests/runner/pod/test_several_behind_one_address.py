"""One address may stand for several schedulers, as that of a Service does: a pod gets past those of no use."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import grpc
import pytest

from flyte.runner.pod.data_client import DataClient
from flyte.runner.pod.endpoints import Endpoints
from flyteapi.scheduler.v1 import worker_data_service_pb2 as api

_SERVICE: Final = api.DESCRIPTOR.services_by_name["WorkerDataService"].full_name


async def has_it(request: api.FetchBundleRequest, context: Any) -> AsyncIterator[api.FetchBundleResponse]:
    """Answers as a scheduler that leads."""
    yield api.FetchBundleResponse(data=b"packed")


async def stands_by(request: api.FetchBundleRequest, context: Any) -> AsyncIterator[api.FetchBundleResponse]:
    """Answers as one that does not."""
    await context.abort(grpc.StatusCode.UNAVAILABLE, "another one leads")
    yield api.FetchBundleResponse()


async def is_refused(request: api.FetchBundleRequest, context: Any) -> AsyncIterator[api.FetchBundleResponse]:
    """Ends as a call to one that stands by does if it was still sending: gRPC hides the answer behind this status."""
    await context.abort(grpc.StatusCode.INTERNAL, "Internal error from Core")
    yield api.FetchBundleResponse()


@asynccontextmanager
async def one_address(*answers: Callable[..., Any]) -> AsyncIterator[str]:
    """An address behind which connections go to each of them in turn."""
    async with AsyncExitStack() as stack:
        ports = []
        for answer in answers:
            server = grpc.aio.server()
            method = grpc.unary_stream_rpc_method_handler(
                answer, api.FetchBundleRequest.FromString, api.FetchBundleResponse.SerializeToString
            )
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"FetchBundle": method}),))
            ports.append(server.add_insecure_port("127.0.0.1:0"))
            await server.start()
            stack.push_async_callback(server.stop, 0)
        front = await asyncio.start_server(_turns(ports), "127.0.0.1", 0)
        stack.callback(front.close)
        yield f"127.0.0.1:{front.sockets[0].getsockname()[1]}"


def _turns(ports: list[int]) -> Any:
    accepted = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        port, accepted = ports[accepted % len(ports)], accepted + 1
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))

    return accept


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def fetched(client: DataClient) -> bytes:
    return b"".join([piece async for piece in client.bundle("digest")])


@pytest.mark.parametrize("of_no_use", [stands_by, is_refused])
async def test_the_next_call_goes_by_a_connection_of_its_own(of_no_use: Callable[..., Any]) -> None:
    async with one_address(of_no_use, has_it) as address:
        client = DataClient(Endpoints([address], rng=random.Random(1)), token="any")
        with pytest.raises(grpc.aio.AioRpcError):
            await fetched(client)
        assert await fetched(client) == b"packed"
        # And stays on what has answered.
        assert await fetched(client) == b"packed"
        await client.close()
