"""Real agents with real workers below them, against a scripted scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import signal
import sys
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.pool_owner import PoolOwner
from tests.support.worker_owner import Listener, StoredData, WorkerOwner

from flyteplane.cluster.pods.builder import COMMAND

HEAD = "import asyncio, os, sys, time\nimport flyte\n\nenv = flyte.TaskEnvironment('env')\n"


class Pod:
    """A started agent."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.stdout = b""
        self.stderr = b""
        self._reading = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        """Process id of the agent."""
        return self.process.pid

    def signal(self, number: int) -> None:
        """Sends a signal to the agent alone."""
        os.kill(self.pid, number)

    async def exit_code(self, *, within_s: float = 20.0) -> int:
        """Waits for the end."""
        async with asyncio.timeout(within_s):
            await self._reading
            return await self.process.wait()

    async def _read(self) -> None:
        self.stdout, self.stderr = await self.process.communicate()


StartPod = Callable[..., Awaitable[Pod]]


@pytest_asyncio.fixture
async def data() -> StoredData:
    """Objects."""
    return StoredData()


@pytest_asyncio.fixture
async def owner() -> WorkerOwner:
    """The scheduler's mind."""
    return WorkerOwner()


@pytest_asyncio.fixture
async def listener(owner: WorkerOwner, data: StoredData) -> AsyncIterator[Listener]:
    """Where the scheduler listens."""
    listener = await Listener(owner, data).start()
    yield listener
    await listener.stop()


@pytest_asyncio.fixture
async def pool() -> PoolOwner:
    """The reuse pool's mind."""
    return PoolOwner()


@pytest_asyncio.fixture
async def pool_listener(pool: PoolOwner, data: StoredData) -> AsyncIterator[Listener]:
    """Where the reuse pool and, in the same process, the scheduler listen."""
    listener = await Listener(pool, data).start()
    yield listener
    await listener.stop()


@pytest_asyncio.fixture
async def start_pod(tmp_path: Path) -> AsyncIterator[StartPod]:
    """Starts agents; those that are left are killed with all that is below them."""
    started: list[Pod] = []

    async def start(*addresses: str, contact_s: float = 20.0, env: dict[str, str] | None = None) -> Pod:
        temp = tmp_path / "temp"
        temp.mkdir(exist_ok=True)
        variables = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(temp),
            "PYTHONPATH": ":".join(path for path in sys.path if path),
            "FLYTE_WORKER_ENDPOINTS": ",".join(addresses),
            "FLYTE_WORKER_TOKEN": "the-token",
            "FLYTE_WORKER_NAME": "pod-1",
            "FLYTE_WORKER_CONTACT_S": str(contact_s),
            **(env or {}),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", *COMMAND[1:]),
            env={name: value for name, value in variables.items() if value},
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(Pod(process))
        return started[-1]

    yield start
    for pod in started:
        if pod.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                pod.signal(signal.SIGCONT)
                pod.signal(signal.SIGTERM)
            await pod.exit_code()


@pytest.fixture
def start_replica(start_pod: StartPod, pool: PoolOwner) -> StartPod:
    """Starts agents of replicas; returns when the pool can speak to one."""

    async def start(*addresses: str, env: dict[str, str] | None = None, **given: float) -> Pod:
        heard = len(pool.hellos)
        pod = await start_pod(*addresses, env={"FLYTE_WORKER_REPLICA": "1", **(env or {})}, **given)
        await pool.until(lambda: len(pool.hellos) > heard and pool.heartbeats)
        return pod

    return start


@pytest.fixture
def bundle(data: StoredData) -> Callable[[str], str]:
    """Stores a code bundle of one module, `user_code`; returns its digest."""

    return lambda source: pack(data, {"user_code.py": HEAD + source})


def pack(data: StoredData, modules: dict[str, str]) -> str:
    """Stores a code bundle; returns its digest."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, source in modules.items():
            content = source.encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    digest = hashlib.sha256(packed.getvalue()).hexdigest()
    data.bundles[digest] = packed.getvalue()
    return digest
