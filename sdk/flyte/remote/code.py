"""The code that an action ran with: the bundle that was made of it when it was submitted or deployed."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flyte.errors import CodeBundleError, RuntimeUserError
from flyte.remote.payloads import fetch_object
from flyte.spec.bundle_unpacking import MOST_ENTRIES, MOST_UNPACKED_BYTES, unpack_bundle

if TYPE_CHECKING:
    from flyte.authoring.bundles import CodeBundle
    from flyte.client.channel import Connection
    from flyte.remote.action import ActionDetails

_ARCHIVE: Final = "code.tar.gz"


def code_bundle_of(action: ActionDetails) -> CodeBundle | None:
    """Return what is known of the code of an action; None if it is part of the image or came pickled."""
    from flyte.authoring.bundles import CodeBundle

    digest = action.task.entrypoint.bundle_digest
    return CodeBundle(computed_version=digest, tgz=f"bundles/{digest}.tar.gz") if digest else None


async def download_code(
    platform: Connection, action: ActionDetails, *, dest: str | Path | None = None, extract: bool = True
) -> Path:
    """Write the code of an action to a folder, by default `./RUN-code`, and return it.

    With `extract=False` the archive is written there instead, and its path returned.

    Raises RuntimeUserError (CodeBundleNotFound) if the action has no bundle, CodeBundleError if what is stored is
    something else, FileExistsError if the folder is not empty.
    """
    digest = action.task.entrypoint.bundle_digest
    if not digest:
        raise RuntimeUserError(
            "CodeBundleNotFound",
            f"The code of action {action.name} is part of its image, or was pickled with the task.",
        )
    folder = Path(dest) if dest is not None else Path(f"{action.run_name}-code")
    if extract and folder.is_dir() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: name another folder as dest.")
    content = await fetch_object(platform, await _uri_of(platform, action, digest))
    if hashlib.sha256(content).hexdigest() != digest:
        raise CodeBundleError(f"The stored code of action {action.name} is not what was uploaded: its digest differs.")
    return await asyncio.to_thread(_write, content, folder, extract=extract)


async def _uri_of(platform: Connection, action: ActionDetails, digest: str) -> str:
    from flyteapi.admin.v1.data_service_pb2 import OBJECT_KIND_CODE_BUNDLE, CreateUploadUrlRequest

    run = action.action_id.run
    # Where a bundle lies follows from its digest alone; nothing is uploaded.
    request = CreateUploadUrlRequest(
        project=run.project, domain=run.domain, kind=OBJECT_KIND_CODE_BUNDLE, sha256=bytes.fromhex(digest)
    )
    return (await platform.call(platform.data.CreateUploadUrl, request)).uri


def _write(content: bytes, folder: Path, *, extract: bool) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / _ARCHIVE
    archive.write_bytes(content)
    if not extract:
        return archive
    unpack_bundle(archive, folder, most_bytes=MOST_UNPACKED_BYTES, most_entries=MOST_ENTRIES)
    archive.unlink()
    return folder
