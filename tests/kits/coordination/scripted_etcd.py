"""An etcd that does as a test says: for what a real one does too seldom to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Self

import grpc

from etcdserverpb.header_pb2 import ResponseHeader
from etcdserverpb.kv_pb2 import (
    DeleteRangeRequest,
    DeleteRangeResponse,
    PutRequest,
    PutResponse,
    RangeRequest,
    RangeResponse,
    TxnRequest,
    TxnResponse,
)
from etcdserverpb.kv_pb2_grpc import KVServicer, add_KVServicer_to_server
from etcdserverpb.watch_pb2 import WatchCreateRequest, WatchRequest, WatchResponse
from etcdserverpb.watch_pb2_grpc import WatchServicer, add_WatchServicer_to_server
from flyteplane.coordination import EtcdSettings

#: Ends a scripted watch with this status.
Ending = grpc.StatusCode


class ScriptedEtcd(KVServicer, WatchServicer):
    """Counts what it is asked, and answers from its scripts.

    Attributes:
        asked: the names of the methods, in order.
        failures: taken from the front, one for each call to KV: status and text, or None to answer well.
        hanging: whether calls to KV stay without an answer.
        kept: what is listed, and at which revision.
        watches: what was asked of each watch; its answers are the items of `scripts`, one script for each watch.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failures: list[tuple[grpc.StatusCode, str] | None] = []
        self.hanging = False
        self.kept: Callable[[], RangeResponse] = lambda: RangeResponse(header=ResponseHeader(revision=1))
        self.watches: list[WatchCreateRequest] = []
        self.scripts: list[list[WatchResponse | Ending]] = []
        self._was_asked = asyncio.Condition()
        self._server = grpc.aio.server()
        add_KVServicer_to_server(self, self._server)  # type: ignore[no-untyped-call,unused-ignore]
        add_WatchServicer_to_server(self, self._server)  # type: ignore[no-untyped-call,unused-ignore]
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    def settings(self, **changes: Any) -> EtcdSettings:
        """Settings that reach this server. No prefix: keys are as they stand in scripts."""
        return EtcdSettings(**{"endpoints": (f"127.0.0.1:{self._port}",), "prefix": "", **changes})

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)

    async def Range(self, request: RangeRequest, context: grpc.aio.ServicerContext[Any, Any]) -> RangeResponse:
        await self._note("Range", context)
        return self.kept()

    async def Put(self, request: PutRequest, context: grpc.aio.ServicerContext[Any, Any]) -> PutResponse:
        await self._note("Put", context)
        return PutResponse(header=ResponseHeader(revision=2))

    async def DeleteRange(
        self, request: DeleteRangeRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> DeleteRangeResponse:
        await self._note("DeleteRange", context)
        return DeleteRangeResponse(header=ResponseHeader(revision=2), deleted=1)

    async def Txn(self, request: TxnRequest, context: grpc.aio.ServicerContext[Any, Any]) -> TxnResponse:
        await self._note("Txn", context)
        return TxnResponse(header=ResponseHeader(revision=2), succeeded=True)

    async def Watch(
        self, requests: AsyncIterator[WatchRequest], context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[WatchResponse]:
        request = (await anext(aiter(requests))).create_request
        async with self._was_asked:
            self.watches.append(request)
            self._was_asked.notify_all()
        for step in self.scripts.pop(0) if self.scripts else []:
            if isinstance(step, Ending):
                await context.abort(step, "as scripted")
            else:
                yield step
        await asyncio.Event().wait()

    async def called(self, method: str) -> None:
        """Return once the method was called."""
        async with asyncio.timeout(30), self._was_asked:
            await self._was_asked.wait_for(lambda: method in self.asked)

    async def watched(self, times: int) -> list[int]:
        """The first revisions that watches asked for, once so many were made."""
        async with asyncio.timeout(30), self._was_asked:
            await self._was_asked.wait_for(lambda: len(self.watches) >= times)
        return [watch.start_revision for watch in self.watches]

    async def _note(self, method: str, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        async with self._was_asked:
            self.asked.append(method)
            self._was_asked.notify_all()
        if self.hanging:
            await asyncio.Event().wait()
        if self.failures and (failure := self.failures.pop(0)) is not None:
            await context.abort(*failure)
