"""Files of this machine, brought to the platform's object store."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flyte.client.channel import connection
from flyte.client.init import current_domain, current_project
from flyte.client.upload import upload
from flyte.syncify import syncify
from flyteapi.admin.v1.data_service_pb2 import OBJECT_KIND_INPUT_FILE


@syncify
async def upload_file(fp: str | Path, verify: bool = True, fname: str | None = None) -> tuple[str, str]:
    """Bring a file to the platform and return its MD5 in hex and its URI. Raises FileNotFoundError without it."""
    content = Path(fp).read_bytes()
    uri = await upload(
        connection(),
        content,
        kind=OBJECT_KIND_INPUT_FILE,
        project=current_project(),
        domain=current_domain(),
        filename=fname or Path(fp).name,
    )
    return hashlib.md5(content, usedforsecurity=False).hexdigest(), uri
