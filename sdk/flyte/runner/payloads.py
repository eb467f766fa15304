"""Inputs and outputs as payloads: small ones inline, large ones in the object store before anybody hears of them.

What lies in the store is read only if it still has the digest under which it was reported. The way to the store is
loaded when it is first used: most payloads travel inline.
"""

from __future__ import annotations

import asyncio

from flyte.spec.limits import INLINE_ON_STREAM_BYTES
from flyteapi.task.v1.value_pb2 import Payload, PayloadReference


def inline_payload(data: bytes) -> Payload | None:
    """The payload of `data` if it may travel inline; None if it has to be stored."""
    return Payload(inline=data) if len(data) <= INLINE_ON_STREAM_BYTES else None


def store_payload(data: bytes, uri: str) -> Payload:
    """Writes `data` to the object store and returns the payload that names it. Blocks."""
    import hashlib

    from flyte.storage import objects

    objects.put_bytes(data, uri)
    reference = PayloadReference(uri=uri, sha256=hashlib.sha256(data).digest(), size_bytes=len(data))
    return Payload(reference=reference)


async def store_payload_async(data: bytes, uri: str) -> Payload:
    """The same without blocking the loop for a store that is not on this machine."""
    from flyte.storage.locations import is_remote

    if is_remote(uri):
        return await asyncio.to_thread(store_payload, data, uri)
    return store_payload(data, uri)


def is_stored(payload: Payload) -> bool:
    """Whether the content has to be read from the object store."""
    return payload.HasField("reference")


def read_payload(payload: Payload) -> bytes:
    """The content. Blocks if it is in the object store. Raises ValueError if it is not what was reported, OSError."""
    if not is_stored(payload):
        return payload.inline
    import hashlib

    from flyte.storage import objects

    reference = payload.reference
    data = objects.get_bytes(reference.uri)
    if hashlib.sha256(data).digest() != reference.sha256:
        raise ValueError(
            f"{reference.uri} was changed after it was written: its SHA-256 is not the one it was reported with "
            f"({len(data)} bytes now, {reference.size_bytes} then)"
        )
    return data


async def read_payload_async(payload: Payload) -> bytes:
    """The same without blocking the loop for a store that is not on this machine."""
    if not is_stored(payload):
        return payload.inline
    from flyte.storage.locations import is_remote

    if is_remote(payload.reference.uri):
        return await asyncio.to_thread(read_payload, payload)
    return read_payload(payload)
