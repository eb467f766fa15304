"""How workers on this machine reach an object store that is no folder: by a socket of the process that placed them.

Each call has a connection of its own and speaks as workers in pods speak to the agent beside them: frames, the first of
them a JSON object (`do`, `uri` or `prefix`), for a write followed by the pieces and an empty frame; it is answered with
frames whose first byte says what they are.

The socket lies in a folder that only the platform's user may enter. Local workers run as that user, so what is refused
here guards against mistakes: they read and write data of attempts and read uploads, and nothing else of the store.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flyte.spec.frames import MAX_FRAME_BYTES, encode_frame
from flyteplane.foundation.errors import NotFound, PermissionDenied, PlatformError, Unavailable
from flyteplane.launcher.endpoint import own_socket
from flyteplane.scheduler.application.worker_objects import WorkerObjects
from flyteplane.scheduler.domain.worker_access import DATA, INPUTS

if TYPE_CHECKING:
    from flyteplane.launcher.objects import OpenObjects

_PIECE: Final = b"d"
_ENTRIES: Final = b"e"
_DONE: Final = b"."
_FAILED: Final = b"!"
_HEADER_BYTES: Final = 4
_CODES: Final = ((NotFound, "NOT_FOUND"), (PermissionDenied, "PERMISSION_DENIED"), (Unavailable, "UNAVAILABLE"))


async def serve_objects(objects: OpenObjects, folder: Path, *, stack: AsyncExitStack) -> Path:
    """Listen on a socket in `folder`, until `stack` is closed; returns its path. Raises Unavailable."""
    own = folder / "data"
    try:
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = own_socket(own)
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(LocalData(objects, scratch=own).serve, path)
        path.chmod(0o600)
    except OSError as error:
        raise Unavailable(f"the socket for local workers cannot be made: {error}", reason="SOCKET_FOLDER") from error
    stack.callback(path.unlink, missing_ok=True)
    stack.callback(server.close)
    return path


class LocalData:
    """Answers calls of workers on this machine.

    Args:
        scratch: folder for objects that are being written.
    """

    def __init__(self, objects: OpenObjects, *, scratch: Path) -> None:
        self._objects = WorkerObjects(objects.store, data_prefix=f"{objects.root}{DATA}", scratch=scratch)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one call out."""
        try:
            done = await self._answer(json.loads(await _frame(reader)), reader, writer)
            await _send(writer, _DONE, json.dumps(done).encode())
        except PlatformError as error:
            code = next((code for kind, code in _CODES if isinstance(error, kind)), "FAILED_PRECONDITION")
            await _refuse(writer, {"code": code, "message": error.public_text})
        except (asyncio.IncompleteReadError, ConnectionError):
            # The worker has given the call up; nothing is written then.
            return
        finally:
            writer.close()

    async def _answer(
        self, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> dict[str, Any]:
        match request["do"]:
            case "read":
                uri, offset, length = request["uri"], request["offset"], request["length"]
                async for piece in self._objects.read(_RIGHTS, uri, offset=offset, length=length):
                    await _send(writer, _PIECE, piece)
            case "write":
                return {"size_bytes": await self._objects.write(_RIGHTS, request["uri"], _pieces(reader))}
            case "list":
                async for entries in self._objects.list(_RIGHTS, request["prefix"]):
                    await _send(writer, _ENTRIES, json.dumps(entries).encode())
        return {}


class _OfLocalWorkers:
    """Implements `Rights`."""

    def refuse_reading(self, key: str) -> None:
        """See the port."""
        if not key.startswith((DATA, INPUTS)):
            raise PermissionDenied("workers read data of attempts and uploads only", reason="WORKER_DATA")

    def refuse_writing(self, key: str) -> None:
        """See the port."""
        if not key.startswith(DATA):
            raise PermissionDenied("workers write data of attempts only", reason="WORKER_DATA")


_RIGHTS: Final = _OfLocalWorkers()


async def _pieces(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while piece := await _frame(reader):
        yield piece


async def _frame(reader: asyncio.StreamReader) -> bytes:
    size = int.from_bytes(await reader.readexactly(_HEADER_BYTES), "little")
    if size > MAX_FRAME_BYTES:
        raise ConnectionError("the connection carries no frames")
    return await reader.readexactly(size)


async def _send(writer: asyncio.StreamWriter, kind: bytes, content: bytes) -> None:
    writer.write(encode_frame(kind + content))
    await writer.drain()


async def _refuse(writer: asyncio.StreamWriter, problem: dict[str, str]) -> None:
    try:
        await _send(writer, _FAILED, json.dumps(problem).encode())
    except ConnectionError:
        return
