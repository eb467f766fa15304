"""User code notices nothing of schedulers that are lost, replaced or not leading."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.runner.owner import decode, encode, succeeded
from tests.runner.pod.conftest import StartPod
from tests.support.worker_owner import LEASE, Listener, NotTheLeader, StoredData, WorkerOwner

Bundle = Callable[[str], str]

WAITS_FOR_FILE = (
    "@env.task\nasync def f(path: str) -> int:\n    print('one')\n"
    "    while not os.path.exists(path):\n        await asyncio.sleep(0.01)\n"
    "    print('two')\n    return 1\n"
)


async def test_an_agent_that_meets_no_leader_tries_the_next_scheduler(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    owner.assign("f", bundle=bundle("@env.task\nasync def f() -> int:\n    return 5\n"))
    other = NotTheLeader()
    second = await Listener(other).start()
    try:
        pods = [await start_pod(second.address, listener.address, "127.0.0.1:1") for _ in range(2)]
        for pod in pods:
            assert await pod.exit_code() == 0
        assert decode((await owner.end()).outputs.inline) == [5]
    finally:
        await second.stop()


async def test_a_task_goes_on_while_its_scheduler_is_replaced(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    path = tmp_path / "go"
    owner.assign("f", encode(path=str(path)), bundle=bundle(WAITS_FOR_FILE))
    pod = await start_pod(listener.address)
    await owner.until(lambda: "one" in owner.logged())
    await listener.stop()
    path.touch()
    await asyncio.sleep(0.3)
    await listener.start()
    assert decode((await owner.end()).outputs.inline) == [1]
    assert await pod.exit_code() == 0
    assert list(owner.hellos[-1].running) == [LEASE]
    # Output that may have been lost is said again, so it can come twice, but never out of order.
    assert owner.logged() in ("one\ntwo\n", "one\none\ntwo\n")
    assert owner.reports[-1].HasField("ended")


async def test_calls_without_a_result_are_made_again_after_a_reconnect(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    source = (
        "@env.task\nasync def child(x: int) -> int: ...\n"
        "@env.task\nasync def parent() -> int:\n    return await child(4)\n"
    )
    owner.assign("parent", bundle=bundle(source))
    pod = await start_pod(listener.address, contact_s=6.0)
    await owner.until(lambda: owner.said("submit"))
    heartbeats = owner.heartbeats
    await owner.until(lambda: owner.heartbeats > heartbeats + 1)
    await listener.stop()
    owner.reports.clear()
    owner.children = lambda submit: succeeded(o0=9)
    await listener.start()
    assert decode((await owner.end()).outputs.inline) == [9]
    assert await pod.exit_code() == 0
    kinds = [report.WhichOneof("report") for report in owner.reports]
    assert kinds.index("declare_task") < kinds.index("submit")


async def test_an_end_that_nobody_accepted_is_told_to_the_next_leader(
    owner: WorkerOwner, listener: Listener, data: StoredData, start_pod: StartPod, bundle: Bundle
) -> None:
    owner.accept_ends = False
    owner.assign("f", bundle=bundle("@env.task\nasync def f() -> int:\n    return 5\n"))
    successor = WorkerOwner()
    second = Listener(successor, data)
    await second.start()
    await second.stop()
    try:
        pod = await start_pod(listener.address, second.address)
        await owner.end()
        await listener.stop()
        await second.start()
        assert decode((await successor.end()).outputs.inline) == [5]
        assert await pod.exit_code() == 0
        assert list(successor.hellos[0].running) == [LEASE]
    finally:
        await second.stop()


async def test_a_scheduler_that_answers_no_heartbeats_is_left_for_another(
    owner: WorkerOwner, listener: Listener, data: StoredData, start_pod: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    path = tmp_path / "go"
    owner.assign("f", encode(path=str(path)), bundle=bundle(WAITS_FOR_FILE))
    successor = WorkerOwner()
    successor.accept_ends = True
    second = await Listener(successor, data).start()
    try:
        pod = await start_pod(listener.address, contact_s=3.0)
        await owner.until(lambda: owner.said("started"))
        owner.answer_heartbeats = False
        count = len(owner.hellos)
        await owner.until(lambda: len(owner.hellos) > count)
        owner.answer_heartbeats = True
        path.touch()
        await owner.end()
        assert await pod.exit_code() == 0
    finally:
        await second.stop()


async def test_output_in_a_long_absence_is_bounded_and_what_is_lost_is_marked(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    path = tmp_path / "go"
    source = (
        "@env.task\nasync def f(path: str) -> int:\n    print('begin')\n"
        "    while not os.path.exists(path):\n        await asyncio.sleep(0.01)\n"
        "    for _ in range(320):\n        print('x' * 65_000)\n"
        "    os.unlink(path)\n    return 1\n"
    )
    owner.assign("f", encode(path=str(path)), bundle=bundle(source))
    pod = await start_pod(listener.address)
    await owner.until(lambda: "begin" in owner.logged())
    await listener.stop()
    path.touch()
    async with asyncio.timeout(20):
        while path.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await listener.start()
    await owner.end()
    assert await pod.exit_code() == 0
    logged = owner.logged()
    assert 7 << 20 < len(logged) < 18 << 20
    assert "bytes of output dropped: no scheduler could be reached" in logged
