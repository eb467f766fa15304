"""Code is fetched once for all attempts of a replica, and by the next one when that fails."""

from __future__ import annotations

import asyncio
import hashlib
import io
import random
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from flyte.runner.pod.bundles import Bundles
from flyte.runner.pod.endings import CannotRun
from flyteapi.task.v1.task_spec_pb2 import Entrypoint, ImageSpec, TaskSpec


def packed() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        member = tarfile.TarInfo("code.py")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"1"))
    return content.getvalue()


PACKED = packed()
DIGEST = hashlib.sha256(PACKED).hexdigest()
TASK = TaskSpec(entrypoint=Entrypoint(bundle_digest=DIGEST))


class Client:
    """Gives the bundle once it may."""

    def __init__(self, *, may: asyncio.Event) -> None:
        self.asked = 0
        self._may = may

    async def bundle(self, _digest: str) -> AsyncIterator[bytes]:
        self.asked += 1
        await self._may.wait()
        yield PACKED


@pytest.fixture
def may() -> asyncio.Event:
    return asyncio.Event()


def bundles(folder: Path) -> Bundles:
    return Bundles(folder=folder, rng=random.Random(1))


async def test_those_that_come_meanwhile_wait_for_the_first(tmp_path: Path, may: asyncio.Event) -> None:
    code, clients = bundles(tmp_path), [Client(may=may) for _ in range(3)]
    asking: Any = [asyncio.ensure_future(code.prepare(TASK, client)) for client in clients]  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    may.set()
    (folder,) = set(await asyncio.gather(*asking))
    assert Path(folder, "code.py").read_text() == "1"
    assert [client.asked for client in clients] == [1, 0, 0]


async def test_one_that_is_cancelled_leaves_the_fetch_to_the_next(tmp_path: Path, may: asyncio.Event) -> None:
    code, (first, second) = bundles(tmp_path), (Client(may=may), Client(may=may))
    asking: Any = [asyncio.ensure_future(code.prepare(TASK, client)) for client in (first, second)]  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    asking[0].cancel()
    may.set()
    folder = await asking[1]
    assert (first.asked, second.asked) == (1, 1)
    # Nothing is left of the try that was given up.
    assert [path.name for path in tmp_path.iterdir()] == [Path(folder).parent.name]


async def test_a_package_that_is_missing_is_named_though_the_code_is_there(tmp_path: Path, may: asyncio.Event) -> None:
    may.set()
    code, client = bundles(tmp_path), Client(may=may)
    await code.prepare(TASK, client)  # type: ignore[arg-type]
    other = TaskSpec(entrypoint=TASK.entrypoint, image=ImageSpec(python_packages=["no-such-package"]))
    with pytest.raises(CannotRun, match="no-such-package"):
        await code.prepare(other, client)  # type: ignore[arg-type]


async def test_a_disk_that_cannot_take_it_ends_one_attempt(tmp_path: Path, may: asyncio.Event) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(CannotRun) as refused:
        await bundles(file).prepare(TASK, Client(may=may))  # type: ignore[arg-type]
    assert (refused.value.code, refused.value.recoverable) == ("BUNDLE_UNPACKING", True)
