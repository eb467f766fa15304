"""Files, folders and inputs on their way from a form to the object store, through the platform."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from flyteapi.admin.v1.data_service_pb2 import (
    OBJECT_KIND_INPUT_FILE,
    CreateUploadUrlRequest,
    DownloadObjectRequest,
    UploadObjectRequest,
)
from flyteapi.task.v1.value_pb2 import Payload, PayloadReference
from flyteplane.console.launch.reading import StoredFile
from flyteplane.foundation.errors import InvalidArgument

if TYPE_CHECKING:
    from starlette.datastructures import UploadFile

    from flyteplane.console.calls import Platform

_PIECE_BYTES: Final = 1 << 20
_MOST_INLINE_BYTES: Final = 256 * 1024
_UPLOAD_TIMEOUT_S: Final = 600.0


async def store_file(platform: Platform, file: UploadFile, *, project: str, domain: str) -> StoredFile:
    """Bring a posted file to the object store. What is there already is not sent again."""
    named = await _named_by_content(file, project=project, domain=domain, name=file.filename or "file")
    return StoredFile(
        uri=await _store(platform, named, _pieces_of(file)), name=named.filename, size_bytes=named.size_bytes
    )


async def store_folder(platform: Platform, files: Sequence[UploadFile], *, project: str, domain: str) -> StoredFile:
    """Bring posted files to a folder of their own in the object store. They keep the paths below their folder.

    Raises InvalidArgument for two files of one path and for paths that no folder can have.
    """
    folder, contents, uri = secrets.token_hex(16), {}, ""
    for path, file in paths_in_folder(files).items():
        named = await _named_by_content(file, project=project, domain=domain, name=path)
        named.folder = folder
        uri = uri or (await platform.data.CreateUploadUrl(named)).folder_uri
        await platform.data.UploadObject(_requests(named, _pieces_of(file)), timeout=_UPLOAD_TIMEOUT_S)
        contents[path] = named
    return StoredFile(
        uri=uri,
        name=name_of_files(files),
        size_bytes=sum(named.size_bytes for named in contents.values()),
        hash=folder_hash({path: named.sha256 for path, named in contents.items()}),
    )


def name_of_files(files: Sequence[UploadFile]) -> str:
    """What people call the posted files: the folder that they were in, or the file that it is."""
    names = [file.filename or "" for file in files]
    tops = {name.partition("/")[0] for name in names}
    return tops.pop() if len(tops) == 1 else f"{len(names)} files"


def paths_in_folder(files: Sequence[UploadFile]) -> Mapping[str, UploadFile]:
    """Where posted files lie in their folder; browsers put its name in front. Raises InvalidArgument."""
    found: dict[str, UploadFile] = {}
    for file in files:
        top, slash, below = (file.filename or "").partition("/")
        path = below if slash else top
        if path in found:
            raise InvalidArgument(f"there are two files {path!r}", mend="Choose one of them.")
        found[path] = file
    return found


def folder_hash(digests: Mapping[str, bytes]) -> str:
    """The hash of a folder by the SHA-256 of each of its files: that which a folder of equal files has in Python."""
    total = hashlib.sha256()
    for path, digest in sorted(digests.items()):
        total.update(f"{len(path.encode())} {digest.hex()} ".encode() + path.encode())
    return total.hexdigest()


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


async def _named_by_content(file: UploadFile, *, project: str, domain: str, name: str) -> CreateUploadUrlRequest:
    size, digest = 0, hashlib.sha256()
    await file.seek(0)
    while piece := await file.read(_PIECE_BYTES):
        size += len(piece)
        await asyncio.to_thread(digest.update, piece)
    await file.seek(0)
    return _named(digest.digest(), size, name, project, domain)


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
