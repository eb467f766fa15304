"""The source of a deployed task, read out of its code bundle.

A bundle is a user's and not trusted: one entry of it is read, in memory, up to a limit, and nothing is unpacked.
"""

from __future__ import annotations

import asyncio
import io
import tarfile
import zlib
from typing import TYPE_CHECKING, Final

from flyte.spec.bundle_unpacking import BundleTooLarge, BundleUnsafe, entries_of
from flyteapi.admin.v1.data_service_pb2 import (
    OBJECT_KIND_CODE_BUNDLE,
    CreateUploadUrlRequest,
    DownloadObjectRequest,
)
from flyteplane.foundation.errors import NotFound, PlatformError, ResourceExhausted

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import Entrypoint
    from flyteplane.console.calls import Platform

_MOST_PACKED_BYTES: Final = 16 * 1024 * 1024
_MOST_SOURCE_BYTES: Final = 512 * 1024
_MOST_ENTRIES: Final = 10_000
_MOST_UNPACKED_BYTES: Final = 256 * 1024 * 1024


async def read_source(platform: Platform, entrypoint: Entrypoint, *, project: str, domain: str) -> str:
    """The text of the module that a task lies in. Raises NotFound, ResourceExhausted (too large to be shown)."""
    if not entrypoint.bundle_digest or not entrypoint.module:
        raise _missing(entrypoint)
    # The address of a bundle follows from its digest; nothing is uploaded by asking.
    place = await platform.data.CreateUploadUrl(
        CreateUploadUrlRequest(
            project=project,
            domain=domain,
            kind=OBJECT_KIND_CODE_BUNDLE,
            sha256=bytes.fromhex(entrypoint.bundle_digest),
        )
    )
    packed = bytearray()
    async for piece in platform.data.DownloadObject(DownloadObjectRequest(uri=place.uri)):
        packed += piece.data
        if len(packed) > _MOST_PACKED_BYTES:
            raise _too_large()
    text = await asyncio.to_thread(module_in, bytes(packed), entrypoint.module)
    if text is None:
        raise _missing(entrypoint)
    return text


def module_in(packed: bytes, module: str, *, most_unpacked_bytes: int = _MOST_UNPACKED_BYTES) -> str | None:
    """The text of a module in a bundle; None if there is none, or no bundle. Raises ResourceExhausted."""
    path = module.replace(".", "/")
    wanted = (f"{path}.py", f"{path}/__init__.py")
    try:
        entries = entries_of(io.BytesIO(packed), most_bytes=most_unpacked_bytes, most_entries=_MOST_ENTRIES)
        for member, content in entries:
            if member.name in wanted and content is not None:
                return content.read(_MOST_SOURCE_BYTES).decode(errors="replace")
    except BundleTooLarge:
        raise _too_large() from None
    except (BundleUnsafe, tarfile.TarError, EOFError, zlib.error, OSError):
        return None
    return None


def _missing(entrypoint: Entrypoint) -> PlatformError:
    return NotFound(f"the source of {entrypoint.module or 'this task'} is not there", reason="SOURCE_NOT_FOUND")


def _too_large() -> PlatformError:
    return ResourceExhausted("the code bundle is too large to be shown", reason="SOURCE_TOO_LARGE")
