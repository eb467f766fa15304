"""Every kind of object store, empty, for tests of what they all promise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.s3 import S3Server

from flyteplane.foundation.clock import SystemClock
from flyteplane.objects import FolderObjectStore, MemoryObjectStore, ObjectStore
from flyteplane.objects.s3 import S3ObjectStore


@pytest.fixture(params=["memory", "folder", "s3"])
def every_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    """One of each kind in turn."""
    match request.param:
        case "memory":
            yield MemoryObjectStore(clock=SystemClock())
        case "folder":
            yield FolderObjectStore(tmp_path / "objects")
        case _:
            server: S3Server = request.getfixturevalue("s3_server")
            s3 = S3ObjectStore(server.settings(f"stores/{tmp_path.parent.name}/{tmp_path.name}"))
            yield s3
            s3.close()
