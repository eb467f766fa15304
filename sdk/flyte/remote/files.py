"""Files and folders of this machine, brought to the platform's object store."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from flyte.client.channel import connection
from flyte.client.file_uploads import PlatformUploads
from flyte.client.init import current_domain, current_project, require_settings
from flyte.client.upload import upload, upload_folder
from flyte.io.placement import new_location, task_prefix
from flyte.storage import objects
from flyte.syncify import syncify
from flyteapi.admin.v1.data_service_pb2 import OBJECT_KIND_INPUT_FILE


@syncify
async def upload_file(
    fp: str | Path, verify: bool = True, fname: str | None = None, content_type: str | None = None
) -> tuple[str, str]:
    """Bring a file to the platform and return its MD5 in hex and its URI. Raises FileNotFoundError without it.

    What arrives is always verified, by its SHA-256. `content_type` says nothing to this platform's store.
    """
    platform = connection()
    content = await asyncio.to_thread(Path(fp).read_bytes)
    uri = await upload(
        platform,
        content,
        kind=OBJECT_KIND_INPUT_FILE,
        project=current_project(),
        domain=current_domain(),
        filename=fname or Path(fp).name,
    )
    return hashlib.md5(content, usedforsecurity=False).hexdigest(), uri


@syncify
async def upload_dir(dir_path: str | Path, verify: bool = True, prefix: str | None = None) -> str:
    """Bring a folder with all below it to the platform and return the URI of the folder there.

    `prefix` is the name that the folder gets, by default its own. Raises NotADirectoryError without a folder.
    """
    settings = require_settings()
    folder = Path(dir_path).resolve()
    if not folder.is_dir():
        raise NotADirectoryError(f"{dir_path} is not a folder")
    name = (prefix or "").strip("/") or folder.name or "data"
    if task_prefix() is None and PlatformUploads(settings).prefix() is None:
        return await upload_folder(connection(), folder, name=name, project=current_project(), domain=current_domain())
    address = new_location(name)
    await asyncio.to_thread(objects.put_folder, folder, address)
    return address
