"""The agent's side of WorkerDataService: one try each, with whichever scheduler is thought to answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from flyte.runner.pod.endpoints import Endpoints
from flyteapi.scheduler.v1 import worker_data_service_pb2 as api

if TYPE_CHECKING:
    import grpc
else:
    from flyte.runner.pod.late_grpc import grpc

PIECE_BYTES: Final = 1 << 20
# gRPC ends a call that is refused while it sends as INTERNAL ("Internal error from Core"), whatever the refusal says: a
# write to a scheduler that does not lead would go to it again and again.
_TRY_ELSEWHERE: Final = frozenset({"UNAVAILABLE", "UNIMPLEMENTED", "DEADLINE_EXCEEDED", "INTERNAL"})
PASSING: Final = _TRY_ELSEWHERE | {"RESOURCE_EXHAUSTED", "ABORTED", "CANCELLED", "UNKNOWN"}
"""Names of the statuses after which trying again is sensible."""
_SILENCE_S: Final = 60.0
"""A scheduler that says and takes nothing for so long is given up."""
_STORING_S: Final = 900.0
"""How long it may take until a long object that has arrived is stored."""

T = TypeVar("T")


@dataclass(slots=True)
class _Line:
    """A channel and how many calls are on it."""

    channel: grpc.aio.Channel
    calls: int = 0


class DataClient:
    """Reads and writes as the attempt. All methods raise grpc.aio.AioRpcError, and TimeoutError if nothing is heard;
    the next endpoint is tried next then.

    Args:
        token: of the attempt.
    """

    def __init__(self, endpoints: Endpoints, *, token: str) -> None:
        self._endpoints = endpoints
        self.renew(token)
        self._lines: dict[str, _Line] = {}

    def renew(self, token: str) -> None:
        """Calls that begin from now on use another token of the same attempt."""
        self._metadata = (("authorization", f"Bearer {token}"),)

    def of_attempt(self, token: str) -> DataClient:
        """The same for another attempt, over the same connections."""
        client = DataClient(self._endpoints, token=token)
        client._lines = self._lines
        return client

    async def bundle(self, digest: str) -> AsyncIterator[bytes]:
        """The packed bundle, in pieces."""
        async with self._stub() as stub:
            call = stub.FetchBundle(api.FetchBundleRequest(digest=digest), metadata=self._metadata)
            async for response in _responses(call):
                yield response.data

    async def read(self, uri: str, *, offset: int, length: int) -> AsyncIterator[bytes]:
        """An object from `offset` on, `length` bytes or all, in pieces."""
        request = api.ReadObjectRequest(uri=uri, offset=offset, length=length)
        async with self._stub() as stub:
            async for response in _responses(stub.ReadObject(request, metadata=self._metadata)):
                yield response.data

    async def write(self, uri: str, pieces: AsyncIterator[bytes]) -> int:
        """Writes an object; returns how many bytes it has. Whatever `pieces` raises leaves nothing written."""
        async with self._stub() as stub:
            call: Any = stub.WriteObject(metadata=self._metadata)
            try:
                await _soon(call.write(api.WriteObjectRequest(uri=uri)))
                async for piece in pieces:
                    await _soon(call.write(api.WriteObjectRequest(data=piece)))
                await _soon(call.write(api.WriteObjectRequest(last=True)))
                await call.done_writing()
                async with asyncio.timeout(_STORING_S):
                    return int((await call).size_bytes)
            except asyncio.InvalidStateError:
                # The call has ended before its last message; it knows why.
                return int((await call).size_bytes)
            finally:
                # Nothing happens to a call that has ended.
                call.cancel()

    async def list(self, prefix: str) -> AsyncIterator[list[tuple[str, int]]]:
        """Addresses and sizes of all objects below a prefix, or of the one that it names."""
        async with self._stub() as stub:
            request = api.ListObjectsRequest(prefix=prefix)
            async for response in _responses(stub.ListObjects(request, metadata=self._metadata)):
                yield [(entry.uri, entry.size_bytes) for entry in response.entries]

    async def close(self) -> None:
        """Closes the channels."""
        for line in self._lines.values():
            await line.channel.close()

    @asynccontextmanager
    async def _stub(self) -> AsyncIterator[Any]:
        address = self._endpoints.current
        line = self._lines.get(address)
        if line is None:
            line = self._lines[address] = _Line(self._endpoints.open_channel(address))
        line.calls += 1
        try:
            yield _stub_on(line.channel)
        except TimeoutError:
            self._give_up(address, line)
            raise
        except grpc.aio.AioRpcError as error:
            if error.code().name in _TRY_ELSEWHERE:
                self._give_up(address, line)
            raise
        finally:
            line.calls -= 1
            if not line.calls and self._lines.get(address) is not line:
                await line.channel.close()

    def _give_up(self, address: str, line: _Line) -> None:
        """Behind one address there may be several schedulers: the next call connects anew, to another perhaps."""
        self._endpoints.failed(address)
        if self._lines.get(address) is line:
            del self._lines[address]


def _stub_on(channel: grpc.aio.Channel) -> Any:
    from flyteapi.scheduler.v1.worker_data_service_pb2_grpc import WorkerDataServiceStub

    return WorkerDataServiceStub(channel)


async def _soon(step: Awaitable[T]) -> T:
    """One step of a call. Raises TimeoutError if the other side says nothing for too long."""
    async with asyncio.timeout(_SILENCE_S):
        return await step


async def _responses(call: Any) -> AsyncIterator[Any]:
    try:
        while (response := await _soon(call.read())) is not grpc.aio.EOF:
            yield response
        await _raise_failure(call)
    finally:
        # Whoever stops reading need not be sent the rest.
        call.cancel()


async def _raise_failure(call: Any) -> None:
    """Raises AioRpcError for a call that was not carried out to its end."""
    if (code := await call.code()) is not grpc.StatusCode.OK:
        raise grpc.aio.AioRpcError(
            code, await call.initial_metadata(), await call.trailing_metadata(), details=await call.details()
        )
