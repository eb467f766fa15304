"""The worker's way to the platform's objects: a socket in a private folder, on which the agent passes calls on.

The worker's own process never loads gRPC, so it may fork as it likes, and it holds no token. Each call has a connection
of its own. Both sides speak frames. The worker sends a JSON object, for a write followed by the pieces and an empty
frame; it is answered with frames whose first byte says what they are, see `flyte.runner.relayed_objects`. The object
names the lease of the attempt that calls, and what is done is done with the rights of that attempt.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Final

from flyte.runner.pod.data_client import PASSING, DataClient
from flyte.runner.relayed_objects import DATA, DONE, ENTRIES, FAILED
from flyte.spec.frames import MAX_FRAME_BYTES, encode_frame

if TYPE_CHECKING:
    import grpc
else:
    from flyte.runner.pod.late_grpc import grpc

_HEADER_BYTES: Final = 4
_NOT_HELD: Final = "the attempt that asks for it is over, so it may not reach the platform's objects any more"


class DataRelay:
    """Serves the socket.

    Args:
        client_of: the client of the attempt with a lease; None if this worker does not hold it.
        listener: the socket, which listens already; its folder belongs to this user alone.
    """

    def __init__(self, client_of: Callable[[int], DataClient | None], *, listener: socket.socket) -> None:
        self._client_of = client_of
        self._listener = listener
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begins to answer. Raises OSError."""
        self._server = await asyncio.start_unix_server(self._serve, sock=self._listener)

    def close(self) -> None:
        """Stops listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(json.loads(await _frame(reader)), reader, writer)
        except grpc.aio.AioRpcError as error:
            code = "UNAVAILABLE" if error.code().name in PASSING else error.code().name
            _send(writer, FAILED, {"code": code, "message": error.details() or error.code().name})
        except TimeoutError:
            _send(writer, FAILED, {"code": "UNAVAILABLE", "message": "no scheduler answers"})
        except (asyncio.IncompleteReadError, ConnectionError):
            # The worker has given the call up; nothing is written then.
            return
        finally:
            writer.close()

    async def _answer(
        self, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        client = self._client_of(request["lease"])
        if client is None:
            _send(writer, FAILED, {"code": "PERMISSION_DENIED", "message": _NOT_HELD})
            return
        done: dict[str, Any] = {}
        match request["do"]:
            case "read":
                pieces = client.read(request["uri"], offset=request["offset"], length=request["length"])
                async for piece in pieces:
                    writer.write(encode_frame(DATA + piece))
                    await writer.drain()
            case "write":
                done["size_bytes"] = await client.write(request["uri"], _pieces(reader))
            case "list":
                async for entries in client.list(request["prefix"]):
                    _send(writer, ENTRIES, entries)
                    await writer.drain()
        _send(writer, DONE, done)
        await writer.drain()


async def _pieces(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while piece := await _frame(reader):
        yield piece


async def _frame(reader: asyncio.StreamReader) -> bytes:
    size = int.from_bytes(await reader.readexactly(_HEADER_BYTES), "little")
    if size > MAX_FRAME_BYTES:
        raise ConnectionError("the connection carries no frames")
    return await reader.readexactly(size)


def _send(writer: asyncio.StreamWriter, kind: bytes, content: Any) -> None:
    writer.write(encode_frame(kind + json.dumps(content).encode()))
