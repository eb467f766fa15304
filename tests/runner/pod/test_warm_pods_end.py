"""How a replica in a pod ends: drained, deleted, killed by its task, out of contact, refused."""

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
from tests.support.pool_owner import PoolOwner
from tests.support.processes import alive, await_end
from tests.support.worker_owner import Listener, StoredData

Bundle = Callable[[str], str]

QUICK = "@env.task\nasync def quick() -> int:\n    return 5\n"
SLEEPS = "@env.task\nasync def sleeps() -> None:\n    print('asleep')\n    await asyncio.sleep(1000)\n"
OUT_OF_CONTACT = 75


async def test_a_drained_replica_finishes_what_it_was_given_and_exits(
    pool: PoolOwner, pool_listener: Listener, data: StoredData, start_replica: StartPod, bundle: Bundle
) -> None:
    digest = bundle(QUICK + "@env.task\nasync def slow() -> int:\n    await asyncio.sleep(0.3)\n    return 6\n")
    data.bundle_failures = 2
    pod = await start_replica(pool_listener.address)
    # None of them has its code yet when the order comes.
    pool.place(1, "slow", bundle=digest)
    pool.place(2, "quick", bundle=digest)
    pool.drain()
    assert await pod.exit_code() == 0
    assert decode(pool.ends(1)[0].outputs.inline) == [6]
    assert decode(pool.ends(2)[0].outputs.inline) == [5]
    assert len(pool.said("drained")) == 1


async def test_an_idle_replica_that_is_drained_exits_and_leaves_nothing(
    pool: PoolOwner, pool_listener: Listener, start_replica: StartPod, tmp_path: Path
) -> None:
    pod = await start_replica(pool_listener.address)
    pool.drain()
    assert await pod.exit_code() == 0
    assert os.listdir(tmp_path / "temp") == []


@pytest.mark.parametrize(("code", "exit_code"), [("os._exit(7)", 7), ("os.kill(os.getpid(), 9)", 137)])
async def test_the_end_of_the_worker_is_the_exit_code_and_ends_before_it_are_delivered(
    pool: PoolOwner,
    pool_listener: Listener,
    start_replica: StartPod,
    bundle: Bundle,
    tmp_path: Path,
    code: str,
    exit_code: int,
) -> None:
    go = tmp_path / "signals" / "go"
    go.parent.mkdir()
    dies = (
        "@env.task\nasync def dies(path: str) -> None:\n    print('begun')\n"
        f"    while not os.path.exists(path):\n        await asyncio.sleep(0.01)\n    {code}\n"
    )
    digest = bundle(QUICK + SLEEPS + dies)
    pod = await start_replica(pool_listener.address)
    pool.accept_ends = False
    pool.place(1, "quick", bundle=digest)
    await pool.end_of(1)
    pool.place(2, "sleeps", bundle=digest)
    await pool.until(lambda: "asleep" in pool.printed(2))
    pool.place(3, "dies", encode(path=str(go)), bundle=digest)
    await pool.until(lambda: pool.printed(3))
    await pool_listener.stop()
    pool.reports.clear()
    go.touch()
    await asyncio.sleep(0.3)
    await pool_listener.start()
    # It is there until the end that was told before is accepted; what else was under way is lost with it.
    assert decode((await pool.end_of(1)).outputs.inline) == [5]
    assert list(pool.hellos[-1].running) == [1, 2, 3]
    pool.accept(1)
    assert await pod.exit_code() == exit_code
    assert not pool.ends(2)
    assert not pool.ends(3)


async def test_a_dead_worker_ends_the_replica_at_once_if_nothing_has_to_be_delivered(
    pool: PoolOwner, pool_listener: Listener, start_replica: StartPod, bundle: Bundle
) -> None:
    digest = bundle("@env.task\nasync def dies() -> None:\n    os._exit(3)\n")
    pod = await start_replica(pool_listener.address)
    pool.place(1, "dies", bundle=digest)
    assert await pod.exit_code(within_s=15.0) == 3


async def test_a_deleted_pod_ends_its_tasks_and_reports_no_failure(
    pool: PoolOwner, pool_listener: Listener, start_replica: StartPod, bundle: Bundle
) -> None:
    source = (
        "import signal\n@env.task\nasync def fails() -> None:\n    asked = asyncio.Event()\n"
        "    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)\n"
        "    print('ready')\n    await asked.wait()\n    raise ConnectionError('all is being torn down')\n"
        "@env.task\nasync def finishes() -> int:\n    print('ready')\n"
        "    await asyncio.sleep(1.0)\n    return 8\n"
    )
    digest = bundle(source)
    pod = await start_replica(pool_listener.address)
    pool.place(1, "fails", bundle=digest)
    pool.place(2, "finishes", bundle=digest)
    await pool.until(lambda: pool.printed(1) and pool.printed(2))
    pod.signal(signal.SIGTERM)
    assert decode((await pool.end_of(2)).outputs.inline) == [8]
    assert await pod.exit_code() == 128 + signal.SIGTERM
    assert not pool.ends(1)


async def test_an_idle_replica_that_is_deleted_goes_at_once(
    pool: PoolOwner, pool_listener: Listener, start_replica: StartPod, bundle: Bundle
) -> None:
    digest = bundle(QUICK)
    pod = await start_replica(pool_listener.address)
    pool.place(1, "quick", bundle=digest)
    await pool.end_of(1)
    pod.signal(signal.SIGTERM)
    assert await pod.exit_code(within_s=15.0) == 128 + signal.SIGTERM


async def test_silence_of_the_pool_kills_all_tasks_in_time(
    pool: PoolOwner, pool_listener: Listener, start_replica: StartPod, bundle: Bundle
) -> None:
    source = "@env.task\nasync def tells() -> None:\n    print(os.getpid())\n    await asyncio.sleep(1000)\n"
    digest = bundle(source + QUICK)
    pod = await start_replica(pool_listener.address, contact_s=1.5)
    pool.place(1, "tells", bundle=digest)
    pool.place(2, "tells", bundle=digest)
    await pool.until(lambda: pool.printed(1) and pool.printed(2))
    worker = int(pool.printed(1).split()[0])
    pool.answer_heartbeats = False
    assert await pod.exit_code() == OUT_OF_CONTACT
    assert not alive(worker)
    assert not pool.said("ended")


async def test_an_agent_that_was_stopped_past_its_contact_delivers_no_result(
    pool: PoolOwner, pool_listener: Listener, start_replica: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    go = tmp_path / "signals" / "go"
    go.parent.mkdir()
    source = (
        "@env.task\nasync def waits(path: str) -> int:\n    print(os.getpid())\n"
        "    while not os.path.exists(path):\n        await asyncio.sleep(0.01)\n    return 1\n"
    )
    digest = bundle(source)
    pod = await start_replica(pool_listener.address, contact_s=1.5)
    pool.place(1, "waits", encode(path=str(go)), bundle=digest)
    await pool.until(lambda: pool.printed(1))
    pod.signal(signal.SIGSTOP)
    # The worker ends itself, while its agent cannot; nobody collects it yet.
    assert not await asyncio.to_thread(await_end, [int(pool.printed(1).split()[0])], within_s=20.0)
    go.touch()
    pod.signal(signal.SIGCONT)
    assert await pod.exit_code() == OUT_OF_CONTACT
    assert not pool.ends(1)


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [(grpc.StatusCode.UNAUTHENTICATED, 77), (grpc.StatusCode.FAILED_PRECONDITION, 76)],
)
async def test_a_replica_that_was_given_up_exits(
    pool: PoolOwner, pool_listener: Listener, start_pod: StartPod, status: grpc.StatusCode, exit_code: int
) -> None:
    pool.refusal = status
    pod = await start_pod(pool_listener.address, env={"FLYTE_WORKER_REPLICA": "1"})
    assert await pod.exit_code() == exit_code


async def test_pool_and_scheduler_may_be_in_different_places(
    pool: PoolOwner, data: StoredData, start_replica: StartPod, bundle: Bundle
) -> None:
    digest = bundle(QUICK)
    pools, scheduler = await Listener(pool).start(), await Listener(PoolOwner(), data).start()
    try:
        endpoints = f"127.0.0.1:1,{pools.address}"
        await start_replica(scheduler.address, "127.0.0.1:1", env={"FLYTE_REPLICA_ENDPOINTS": endpoints})
        pool.place(1, "quick", bundle=digest)
        assert decode((await pool.end_of(1)).outputs.inline) == [5]
    finally:
        await pools.stop()
        await scheduler.stop()
