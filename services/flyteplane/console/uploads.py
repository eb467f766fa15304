"""Files and inputs on their way from a form to the object store, through the platform."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from flyteapi.admin.v1.data_service_pb2 import (
    OBJECT_KIND_INPUT_FILE,
    CreateUploadUrlRequest,
    DownloadObjectRequest,
    UploadObjectRequest,
)
from flyteapi.task.v1.value_pb2 import Payload, PayloadReference
from flyteplane.console.launch.reading import StoredFile

if TYPE_CHECKING:
    from starlette.datastructures import UploadFile

    from flyteplane.console.calls import Platform

_PIECE_BYTES: Final = 1 << 20
_MOST_INLINE_BYTES: Final = 256 * 1024
_UPLOAD_TIMEOUT_S: Final = 600.0


async def store_file(platform: Platform, file: UploadFile, *, project: str, domain: str) -> StoredFile:
    """Bring a posted file to the object store. What is there already is not sent again."""
    size, digest = 0, hashlib.sha256()
    await file.seek(0)
    while piece := await file.read(_PIECE_BYTES):
        size += len(piece)
        await asyncio.to_thread(digest.update, piece)
    await file.seek(0)
    name = file.filename or "file"
    uri = await _store(platform, _named(digest.digest(), size, name, project, domain), _pieces_of(file))
    return StoredFile(uri=uri, name=name, size_bytes=size)


async def store_payload(platform: Platform, content: bytes, *, project: str, domain: str) -> Payload:
    """A payload that holds the content, or refers to it in the object store if it is large."""
    if len(content) <= _MOST_INLINE_BYTES:
        return Payload(inline=content)
    digest = hashlib.sha256(content).digest()
    named = _named(digest, len(content), "inputs.pb", project, domain)
    uri = await _store(platform, named, _pieces(content))
    return Payload(reference=PayloadReference(uri=uri, sha256=digest, size_bytes=len(content)))


async def fetch_payload(platform: Platform, payload: Payload, *, most_bytes: int) -> bytes | None:
    """The bytes of a payload; None for one of more than `most_bytes`."""
    if payload.WhichOneof("place") != "reference":
        return payload.inline
    if payload.reference.size_bytes > most_bytes:
        return None
    pieces = platform.data.DownloadObject(DownloadObjectRequest(uri=payload.reference.uri))
    return b"".join([piece.data async for piece in pieces])


def _named(digest: bytes, size: int, name: str, project: str, domain: str) -> CreateUploadUrlRequest:
    return CreateUploadUrlRequest(
        project=project,
        domain=domain,
        kind=OBJECT_KIND_INPUT_FILE,
        sha256=digest,
        size_bytes=size,
        filename=name,
    )


async def _store(platform: Platform, named: CreateUploadUrlRequest, pieces: AsyncIterator[bytes]) -> str:
    place = await platform.data.CreateUploadUrl(named)
    if place.exists:
        return place.uri
    stored = await platform.data.UploadObject(_requests(named, pieces), timeout=_UPLOAD_TIMEOUT_S)
    return stored.uri


async def _requests(named: CreateUploadUrlRequest, pieces: AsyncIterator[bytes]) -> AsyncIterator[UploadObjectRequest]:
    yield UploadObjectRequest(object=named)
    async for piece in pieces:
        yield UploadObjectRequest(data=piece)


async def _pieces_of(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(_PIECE_BYTES):
        yield piece


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _PIECE_BYTES):
        yield content[start : start + _PIECE_BYTES]
