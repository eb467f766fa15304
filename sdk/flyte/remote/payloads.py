"""Inputs and outputs on their way: inline up to 256 KiB, in the object store above."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from flyte.client.signed_urls import get_at, get_file_at, is_signed
from flyte.client.upload import upload
from flyte.errors import RuntimeUserError, UnionRpcError
from flyteapi.admin.v1.data_service_pb2 import (
    OBJECT_KIND_INPUT_FILE,
    CreateDownloadUrlRequest,
    DownloadObjectRequest,
)
from flyteapi.task.v1.value_pb2 import Payload, PayloadReference

if TYPE_CHECKING:
    from flyte.client.channel import Connection

MAX_INLINE_BYTES = 256 * 1024


async def store_payload(connection: Connection, content: bytes, *, project: str, domain: str) -> Payload:
    """Return a payload that holds the content, or refers to it in the object store if it is large."""
    if len(content) <= MAX_INLINE_BYTES:
        return Payload(inline=content)
    uri = await upload(
        connection,
        content,
        kind=OBJECT_KIND_INPUT_FILE,
        project=project,
        domain=domain,
        filename="inputs.pb",
    )
    reference = PayloadReference(uri=uri, sha256=hashlib.sha256(content).digest(), size_bytes=len(content))
    return Payload(reference=reference)


async def fetch_payload(connection: Connection, payload: Payload) -> bytes:
    """Return the bytes of a payload, empty for one without values.

    Raises UnionRpcError if the object store holds other bytes than the reference says.
    """
    if payload.WhichOneof("place") != "reference":
        return payload.inline
    content = await fetch_object(connection, payload.reference.uri)
    if hashlib.sha256(content).digest() != payload.reference.sha256:
        raise UnionRpcError("DataLoss", f"{payload.reference.uri} is not what was stored there: its digest differs")
    return content


async def fetch_object(connection: Connection, uri: str) -> bytes:
    """Return an object of the platform's store."""
    url = urlsplit(uri)
    path = Path(unquote(url.path))
    if url.scheme == "file" and path.is_file():
        return path.read_bytes()
    signed = await _signed_url(connection, uri)
    if signed and (content := await get_at(signed)) is not None:
        return content
    return b"".join([piece async for piece in _pieces(connection, uri)])


async def download_object(connection: Connection, uri: str, path: Path) -> None:
    """Write an object of the platform's store to a file. Raises FileNotFoundError."""
    try:
        signed = await _signed_url(connection, uri)
        if signed and await get_file_at(signed, path):
            return
        with path.open("wb") as file:
            async for piece in _pieces(connection, uri):
                file.write(piece)
    except RuntimeUserError as error:
        if error.code != "NotFound":
            raise
        raise FileNotFoundError(f"There is no object {uri}") from error


async def _signed_url(connection: Connection, uri: str) -> str:
    """Where the store itself gives an object; empty where everything goes through the platform."""
    if urlsplit(uri).scheme in ("file", "flyte-object"):
        return ""
    answer = await connection.call(connection.data.CreateDownloadUrl, CreateDownloadUrlRequest(uri=uri))
    return answer.download_url if is_signed(answer.download_url) else ""


async def _pieces(connection: Connection, uri: str) -> AsyncIterator[bytes]:
    async for piece in connection.stream(connection.data.DownloadObject, DownloadObjectRequest(uri=uri)):
        yield piece.data
