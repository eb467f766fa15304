"""One process cluster for all tests of a module, and user code in a bundle folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.runner.owner import Owner

from flyteplane.cluster.ports import WorkerSpec
from flyteplane.cluster.process import ProcessCluster

StartWorker = Callable[..., Awaitable[Owner]]
_numbers = count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProcessCluster]:
    """A cluster on this machine."""
    cluster = ProcessCluster(tmp_path_factory.mktemp("platform"))
    yield cluster
    await cluster.close()


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a code bundle of one module, `user_code`."""

    def make(source: str) -> Path:
        folder = tmp_path / "bundle"
        folder.mkdir()
        head = "import asyncio, os, sys, time\nimport flyte\n\nenv = flyte.TaskEnvironment('env')\n"
        (folder / "user_code.py").write_text(head + source)
        return folder

    return make


@pytest_asyncio.fixture(loop_scope="module")
async def worker(cluster: ProcessCluster) -> AsyncIterator[StartWorker]:
    """Starts workers; those that are left are stopped."""
    started: list[str] = []

    async def start(*, replica: bool = False, spec: dict[str, Any] | None = None, **owner: Any) -> Owner:
        name = f"worker-{next(_numbers)}"
        listener = Owner(**owner)
        await cluster.start(WorkerSpec(name=name, replica=replica, **(spec or {})), listener)
        started.append(name)
        return listener

    yield start
    for name in started:
        await cluster.stop(name, grace_s=0.0)
