"""Brings a code bundle or a file to the platform's object store, once.

A store on this machine is written to directly, under another name and then renamed, so that nobody ever sees half an
object; one with signed URLs by these, and the platform checks what arrived; any other, or one that cannot be reached
from here, is written to through the platform. What is there already is not sent.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from flyte.client.signed_urls import is_signed, put_at
from flyte.errors import CodeBundleError
from flyte.storage.locations import join
from flyte.storage.objects import files_below

if TYPE_CHECKING:
    from flyte.client.channel import Connection
    from flyteapi.admin.v1.data_service_pb2 import (
        CreateUploadUrlRequest,
        CreateUploadUrlResponse,
        ObjectKind,
        UploadObjectRequest,
    )

PIECE_BYTES: Final = 1024 * 1024
_FILES_AT_ONCE: Final = 8
_CHECKING_S: Final = 600.0
"""How long the platform may take to look at what was put into its store."""

_known: set[tuple[str, str, bytes]] = set()


async def upload_bundle(connection: Connection, content: bytes, *, project: str, domain: str) -> str:
    """Bring a code bundle to the platform and return its SHA-256 in hex. Does nothing if it is there."""
    from flyteapi.admin.v1.data_service_pb2 import OBJECT_KIND_CODE_BUNDLE

    digest = hashlib.sha256(content).digest()
    known = (connection.endpoint, project, digest)
    if known not in _known:
        await upload(
            connection, content, kind=OBJECT_KIND_CODE_BUNDLE, project=project, domain=domain, filename="code.tar.gz"
        )
        _known.add(known)
    return digest.hex()


def forget_uploads() -> None:
    """Ask the platform again about everything, as after it said that a bundle is missing."""
    _known.clear()


async def upload(
    connection: Connection, content: bytes, *, kind: ObjectKind.ValueType, project: str, domain: str, filename: str
) -> str:
    """Bring an object to the platform and return its URI."""
    request = _announced(content, kind=kind, project=project, domain=domain, filename=filename)
    answer = await connection.change(connection.data.CreateUploadUrl, request)
    return await _send(connection, request, answer, content)


async def upload_folder(connection: Connection, root: Path, *, name: str, project: str, domain: str) -> str:
    """Bring all files below a folder to a folder of their own on the platform, called `name`, and return its URI.

    Some files travel at a time. Of a folder without files there is nothing but the URI.
    """
    from flyteapi.admin.v1.data_service_pb2 import OBJECT_KIND_INPUT_FILE

    announced = functools.partial(
        _announced, kind=OBJECT_KIND_INPUT_FILE, project=project, domain=domain, folder=secrets.token_hex(16)
    )
    paths = [str(file.relative_to(root).as_posix()) for file in files_below(root)]
    at_once = asyncio.Semaphore(_FILES_AT_ONCE)

    async def send(path: str) -> str:
        async with at_once:
            content = await asyncio.to_thread((root / path).read_bytes)
            named = announced(content, filename=f"{name}/{path}")
            answer = await connection.change(connection.data.CreateUploadUrl, named)
            await _send(connection, named, answer, content)
            return answer.folder_uri

    if not paths:
        named = announced(b"", filename=name)
        return join((await connection.change(connection.data.CreateUploadUrl, named)).folder_uri, name)
    return join((await asyncio.gather(*map(send, paths)))[0], name)


def _announced(
    content: bytes, *, kind: ObjectKind.ValueType, project: str, domain: str, filename: str, folder: str = ""
) -> CreateUploadUrlRequest:
    """Return what asks where to bring an object; with a folder, `filename` is its path in there."""
    from flyteapi.admin.v1.data_service_pb2 import CreateUploadUrlRequest

    return CreateUploadUrlRequest(
        project=project,
        domain=domain,
        kind=kind,
        sha256=hashlib.sha256(content).digest(),
        size_bytes=len(content),
        filename=filename,
        folder=folder,
    )


async def _send(
    connection: Connection, request: CreateUploadUrlRequest, answer: CreateUploadUrlResponse, content: bytes
) -> str:
    """Bring content to where the platform said and return its URI."""
    from flyteapi.admin.v1.data_service_pb2 import CompleteUploadRequest

    if answer.exists:
        return answer.uri
    url = urlsplit(answer.upload_url)
    if url.scheme == "file" and _can_write(Path(unquote(url.path))):
        write_object(Path(unquote(url.path)), content)
        return answer.uri
    if is_signed(answer.upload_url) and await put_at(answer.upload_url, content, headers=answer.headers):
        completion = CompleteUploadRequest(object=request, upload_id=answer.upload_id)
        return (await connection.change(connection.data.CompleteUpload, completion, timeout_s=_CHECKING_S)).uri
    stored = await connection.patiently(
        lambda: connection.upload(connection.data.UploadObject, _pieces(request, content))
    )
    return stored.uri


def write_object(path: Path, content: bytes) -> None:
    """Write a file that is either whole or not there, and durable.

    Raises CodeBundleError if the store cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CodeBundleError(f"The object store cannot be written at {path}: {error.strerror}") from error


def _can_write(path: Path) -> bool:
    """The platform makes the folder before it answers: one that is not there is a folder of another machine."""
    return path.parent.is_dir() and os.access(path.parent, os.W_OK)


async def _pieces(named: CreateUploadUrlRequest, content: bytes) -> AsyncIterator[UploadObjectRequest]:
    from flyteapi.admin.v1.data_service_pb2 import UploadObjectRequest

    yield UploadObjectRequest(object=named, data=content[:PIECE_BYTES])
    for start in range(PIECE_BYTES, len(content), PIECE_BYTES):
        yield UploadObjectRequest(data=content[start : start + PIECE_BYTES])
