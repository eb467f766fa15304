"""How a pod ends, and with which exit code: by itself, by a signal, cancelled, revoked, deleted."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from tests.runner.owner import decode, encode
from tests.runner.pod.conftest import StartPod
from tests.support.processes import alive
from tests.support.worker_owner import LEASE, Listener, WorkerOwner

from flyteapi.common.v1.error_pb2 import ERROR_KIND_SYSTEM, ERROR_KIND_USER
from flyteapi.scheduler.v1.worker_service_pb2 import EndAccepted, WorkerOrder

Bundle = Callable[[str], str]


@pytest.mark.parametrize(
    ("code", "kind", "told", "exit_code"),
    [
        ("os._exit(7)", ERROR_KIND_USER, ("WORKER_EXITED", 7, 0), 7),
        ("os.kill(os.getpid(), 9)", ERROR_KIND_SYSTEM, ("WORKER_KILLED", 0, 9), 137),
    ],
)
async def test_a_worker_that_ends_without_a_word_is_told_and_its_exit_code_kept(
    owner: WorkerOwner,
    listener: Listener,
    start_pod: StartPod,
    bundle: Bundle,
    code: str,
    kind: int,
    told: tuple[str, int, int],
    exit_code: int,
) -> None:
    source = f"@env.task\nasync def f() -> None:\n    os.write(1, b'last words')\n    {code}\n"
    owner.assign("f", bundle=bundle(source))
    pod = await start_pod(listener.address)
    error = (await owner.end()).error
    assert (error.kind, error.recoverable) == (kind, True)
    assert (error.code, error.exit_code, error.signal) == told
    assert await pod.exit_code() == exit_code
    assert owner.logged() == "last words"


async def test_an_exception_is_told_by_the_worker_itself(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    owner.assign("f", bundle=bundle("@env.task\nasync def f() -> None:\n    raise LookupError('no row')\n"))
    pod = await start_pod(listener.address)
    error = (await owner.end()).error
    assert (error.code, error.message) == ("LookupError", "no row")
    assert await pod.exit_code() == 0


async def test_the_agent_waits_until_the_end_is_accepted(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    owner.accept_ends = False
    owner.assign("f", bundle=bundle("@env.task\nasync def f() -> None: ...\n"))
    pod = await start_pod(listener.address)
    await owner.end()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.4):
            await pod.process.wait()
    owner.tell(WorkerOrder(lease=LEASE, end_accepted=EndAccepted()))
    assert await pod.exit_code() == 0


async def test_what_a_task_leaves_behind_ends_with_it(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    source = (
        "import subprocess\n@env.task\nasync def f(path: str) -> None:\n"
        "    command = 'echo $$ > ' + path + '; exec sleep 1000'\n"
        "    subprocess.Popen(['setsid', '--fork', 'sh', '-c', command])\n"
        "    while not os.path.exists(path) or not open(path).read():\n        await asyncio.sleep(0.01)\n"
    )
    path = tmp_path / "pid"
    owner.assign("f", encode(path=str(path)), bundle=bundle(source))
    pod = await start_pod(listener.address)
    assert (await owner.end()).WhichOneof("outcome") == "outputs"
    assert await pod.exit_code() == 0
    assert not alive(int(path.read_text()))


async def test_processes_that_lost_their_parent_are_collected(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    source = (
        "import subprocess\n@env.task\nasync def f() -> int:\n"
        "    for _ in range(5):\n        subprocess.run(['setsid', '--fork', 'true'], check=True)\n"
        "    for _ in range(1000):\n"
        "        states = []\n        for pid in filter(str.isdecimal, os.listdir('/proc')):\n"
        "            try:\n                said = open(f'/proc/{pid}/stat').read()\n"
        "                states.append(said.rpartition(')')[2].split()[:2])\n"
        "            except OSError:\n                pass  # another process of this machine, which has just ended\n"
        "        ours = (os.getpid(), os.getppid())\n"
        "        left = sum(state == 'Z' and int(parent) in ours for state, parent in states)\n"
        "        if not left:\n            break\n"
        "        await asyncio.sleep(0.01)\n"
        "    return left\n"
    )
    owner.assign("f", bundle=bundle(source))
    pod = await start_pod(listener.address)
    assert decode((await owner.end()).outputs.inline) == [0]
    assert await pod.exit_code() == 0


async def test_a_cancelled_task_is_told_and_the_agent_leaves_in_order(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    source = (
        "@env.task\nasync def f() -> None:\n"
        "    try:\n        await asyncio.sleep(1000)\n    finally:\n        print('cleaned')\n"
    )
    owner.assign("f", bundle=bundle(source))
    pod = await start_pod(listener.address)
    await owner.until(lambda: owner.said("started"))
    owner.cancel()
    assert (await owner.end()).HasField("error")
    assert await pod.exit_code() == 0
    assert owner.logged() == "cleaned\n"


async def test_a_revoked_attempt_ends_without_a_word(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    owner.assign("f", bundle=bundle("@env.task\nasync def f() -> None:\n    await asyncio.sleep(1000)\n"))
    pod = await start_pod(listener.address)
    await owner.until(lambda: owner.said("started"))
    owner.revoke()
    assert await pod.exit_code() == 0
    assert not owner.said("ended")


async def test_a_deleted_pod_ends_its_task_and_reports_no_failure(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    owner.assign("f", bundle=bundle("@env.task\nasync def f() -> None:\n    await asyncio.sleep(1000)\n"))
    pod = await start_pod(listener.address)
    await owner.until(lambda: owner.said("started"))
    pod.signal(signal.SIGTERM)
    assert await pod.exit_code() == 128 + signal.SIGTERM
    assert not owner.said("ended")


async def test_a_task_may_finish_in_the_grace_of_a_deleted_pod(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    source = (
        "import signal\n@env.task\nasync def f() -> int:\n    asked = asyncio.Event()\n"
        "    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)\n"
        "    print('ready', flush=True)\n    await asked.wait()\n    return 3\n"
    )
    owner.assign("f", bundle=bundle(source))
    pod = await start_pod(listener.address)
    await owner.until(lambda: "ready" in owner.logged())
    pod.signal(signal.SIGTERM)
    assert (await owner.end()).WhichOneof("outcome") == "outputs"
    await pod.exit_code()


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [(grpc.StatusCode.UNAUTHENTICATED, 77), (grpc.StatusCode.FAILED_PRECONDITION, 76)],
)
async def test_a_worker_that_is_refused_says_so_and_exits(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, status: grpc.StatusCode, exit_code: int
) -> None:
    owner.refusal = status
    pod = await start_pod(listener.address)
    assert await pod.exit_code() == exit_code
    assert f"refuses this worker: {status.name}: as the test wants it".encode() in pod.stderr


async def test_nothing_is_left_on_the_disk(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    owner.assign("f", bundle=bundle("@env.task\nasync def f() -> None: ...\n"))
    pod = await start_pod(listener.address)
    await pod.exit_code()
    assert os.listdir(tmp_path / "temp") == []
