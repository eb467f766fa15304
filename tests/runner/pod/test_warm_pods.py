"""A replica in a pod carries out many attempts, beside each other, and goes on while its pool comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.runner.owner import decode, encode, succeeded
from tests.runner.pod.conftest import StartPod
from tests.support.pool_owner import PoolOwner
from tests.support.worker_owner import Listener, StoredData

from flyteapi.common.v1.error_pb2 import ERROR_KIND_REFUSED, ERROR_KIND_SYSTEM, ERROR_KIND_USER
from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder

Bundle = Callable[[str], str]

COUNTS = (
    "calls = []\n@env.task\nasync def f() -> list[int]:\n    calls.append(1)\n    return [len(calls), os.getpid()]\n"
)
WAITS = (
    "@env.task\nasync def waits(path: str) -> int:\n    print('one')\n"
    "    while not os.path.exists(path):\n        await asyncio.sleep(0.01)\n"
    "    print('two')\n    return 1\n"
)
PARENT = (
    "@env.task\nasync def child(x: int) -> int: ...\n"
    "@env.task\nasync def parent(x: int) -> int:\n    return await child(x)\n"
)


async def test_one_attempt_after_the_other_finds_the_module_warm(
    pool: PoolOwner, pool_listener: Listener, data: StoredData, start_replica: StartPod, bundle: Bundle
) -> None:
    digest = bundle(COUNTS)
    await start_replica(pool_listener.address)
    results = []
    for lease in (1, 2, 3):
        pool.place(lease, "f", bundle=digest)
        results.append(decode((await pool.end_of(lease)).outputs.inline, list[int])[0])
    assert [count for count, _pid in results] == [1, 2, 3]
    assert len({pid for _count, pid in results}) == 1
    assert pool.hellos[0].token == "the-token"
    assert not pool.hellos[0].running
    # Fetched once, with the token of the attempt that needed it first.
    assert data.tokens_for(digest) == ["token-1"]


async def test_attempts_beside_each_other_share_one_fetch_and_keep_their_output_apart(
    pool: PoolOwner, pool_listener: Listener, data: StoredData, start_replica: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    folder = tmp_path / "signals"
    folder.mkdir()
    source = (
        "@env.task\nasync def f(folder: str, mine: str, other: str) -> str:\n"
        "    print(f'I am {mine}')\n    open(f'{folder}/{mine}', 'w').close()\n"
        "    while not os.path.exists(f'{folder}/{other}'):\n        await asyncio.sleep(0.01)\n    return mine\n"
    )
    digest = bundle(source)
    await start_replica(pool_listener.address)
    pool.place(1, "f", encode(folder=str(folder), mine="a", other="b"), bundle=digest)
    pool.place(2, "f", encode(folder=str(folder), mine="b", other="a"), bundle=digest)
    assert decode((await pool.end_of(1)).outputs.inline) == ["a"]
    assert decode((await pool.end_of(2)).outputs.inline) == ["b"]
    assert (pool.printed(1), pool.printed(2)) == ("I am a\n", "I am b\n")
    assert data.tokens_for(digest) == ["token-1"]


async def test_a_pool_that_comes_back_is_told_what_runs_and_hears_each_end_until_it_accepts_it(
    pool: PoolOwner, pool_listener: Listener, start_replica: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    go = tmp_path / "signals" / "go"
    go.parent.mkdir()
    digest = bundle(COUNTS + WAITS)
    await start_replica(pool_listener.address, contact_s=6.0)
    pool.place(1, "f", bundle=digest)
    await pool.end_of(1)
    pool.accept_ends = False
    pool.place(2, "f", bundle=digest)
    pool.place(3, "waits", encode(path=str(go)), bundle=digest)
    await pool.end_of(2)
    await pool.until(lambda: "one" in pool.printed(3))
    await everything_arrived(pool)
    await pool_listener.stop()
    pool.reports.clear()
    go.touch()
    await asyncio.sleep(0.3)
    await pool_listener.start()
    assert decode((await pool.end_of(3)).outputs.inline) == [1]
    assert list(pool.hellos[-1].running) == [2, 3]
    # The first was accepted and is forgotten; the second is said again, and nothing of it but what may be lost.
    assert not pool.kinds(1)
    assert pool.kinds(2) in (["ended"], ["started", "ended"])
    assert pool.kinds(3)[0] == "started"
    assert pool.kinds(3)[-1] == "ended"
    pool.accept(2)
    pool.accept(3)
    pool.place(4, "f", bundle=digest)
    assert decode((await pool.end_of(4)).outputs.inline, list[int])[0][0] == 3


async def test_calls_without_a_result_are_made_again_for_each_attempt(
    pool: PoolOwner, pool_listener: Listener, start_replica: StartPod, bundle: Bundle
) -> None:
    digest = bundle(PARENT)
    await start_replica(pool_listener.address, contact_s=6.0)
    for lease in (1, 2):
        pool.place(lease, "parent", encode(x=lease), bundle=digest)
    await pool.until(lambda: len(pool.said("submit")) == 2)
    await everything_arrived(pool)
    (answered,) = [report for report in pool.reports if report.HasField("submit") and report.lease == 1]
    result = succeeded(o0=10)
    result.call = answered.submit.call
    pool.tell(WorkerOrder(lease=1, result=result))
    assert decode((await pool.end_of(1)).outputs.inline) == [10]
    await pool_listener.stop()
    pool.reports.clear()
    pool.children = lambda submit: succeeded(o0=20)
    await pool_listener.start()
    assert decode((await pool.end_of(2)).outputs.inline) == [20]
    assert "submit" not in pool.kinds(1)
    kinds = [report.WhichOneof("report") for report in pool.reports]
    assert kinds.index("declare_task") < kinds.index("submit")


async def test_an_attempt_that_is_assigned_again_after_a_break_runs_once(
    pool: PoolOwner, pool_listener: Listener, start_replica: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    go = tmp_path / "signals" / "go"
    go.parent.mkdir()
    digest = bundle(WAITS)
    await start_replica(pool_listener.address)
    for _ in range(2):
        pool.place(1, "waits", encode(path=str(go)), bundle=digest)
    await pool.until(lambda: "one" in pool.printed(1))
    pool.place(1, "waits", encode(path=str(go)), bundle=digest)
    go.touch()
    await pool.end_of(1)
    assert pool.printed(1) == "one\ntwo\n"


async def test_code_that_cannot_be_had_ends_its_own_attempt_only(
    pool: PoolOwner, pool_listener: Listener, data: StoredData, start_replica: StartPod, bundle: Bundle
) -> None:
    good, damaged = bundle(COUNTS), "d" * 64
    data.bundles[damaged] = b"something else"
    data.bundle_failures = 2
    await start_replica(pool_listener.address)
    pool.place(1, "f", bundle="0" * 64)
    pool.place(2, "f", bundle=damaged)
    pool.place(3, "f", bundle=good)
    missing, changed = (await pool.end_of(1)).error, (await pool.end_of(2)).error
    assert (missing.kind, missing.code, missing.recoverable) == (ERROR_KIND_REFUSED, "BUNDLE_NOT_FOUND", False)
    assert (changed.kind, changed.code, changed.recoverable) == (ERROR_KIND_SYSTEM, "BUNDLE_DIGEST", True)
    assert decode((await pool.end_of(3)).outputs.inline, list[int])[0][0] == 1


async def test_another_attempt_fetches_for_itself_what_one_before_it_could_not_have(
    pool: PoolOwner, pool_listener: Listener, data: StoredData, start_replica: StartPod, bundle: Bundle
) -> None:
    digest = bundle(COUNTS)
    packed = data.bundles.pop(digest)
    await start_replica(pool_listener.address)
    pool.place(1, "f", bundle=digest)
    assert (await pool.end_of(1)).error.code == "BUNDLE_NOT_FOUND"
    data.bundles[digest] = packed
    pool.place(2, "f", bundle=digest)
    assert (await pool.end_of(2)).HasField("outputs")
    assert data.tokens_for(digest) == ["token-1", "token-2"]


async def test_an_attempt_that_is_stopped_while_its_code_is_fetched_never_begins(
    pool: PoolOwner, pool_listener: Listener, data: StoredData, start_replica: StartPod, bundle: Bundle
) -> None:
    digest = bundle(COUNTS)
    data.bundle_failures = 1_000_000
    await start_replica(pool_listener.address)
    pool.place(1, "f", bundle=digest)
    pool.place(2, "f", bundle=digest)
    await pool.until(lambda: data.asked)
    pool.cancel_lease(1)
    error = (await pool.end_of(1)).error
    assert (error.kind, error.code, error.message) == (ERROR_KIND_USER, "CANCELLED", "asked to")
    pool.revoke_lease(2)
    data.bundle_failures = 0
    pool.place(3, "f", bundle=digest)
    assert decode((await pool.end_of(3)).outputs.inline, list[int])[0][0] == 1
    assert not pool.kinds(2)


async def test_an_attempt_that_was_taken_away_is_stopped_and_not_spoken_of(
    pool: PoolOwner, pool_listener: Listener, start_replica: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    gone = tmp_path / "signals" / "gone"
    gone.parent.mkdir()
    source = (
        "@env.task\nasync def f(path: str) -> None:\n    print('begun')\n    try:\n        await asyncio.sleep(1000)\n"
        "    finally:\n        print('late')\n        open(path, 'w').close()\n"
    )
    digest = bundle(source + COUNTS.replace("def f", "def counts"))
    await start_replica(pool_listener.address)
    pool.place(1, "f", encode(path=str(gone)), bundle=digest)
    await pool.until(lambda: "begun" in pool.printed(1))
    pool.revoke_lease(1)
    pool.place(2, "counts", bundle=digest)
    await pool.end_of(2)
    pool.place(3, "counts", bundle=digest)
    await pool.end_of(3)
    assert gone.exists()
    assert (pool.printed(1), pool.ends(1)) == ("begun\n", [])


async def test_a_synchronous_task_that_writes_more_than_is_taken_waits_and_loses_nothing(
    pool: PoolOwner, pool_listener: Listener, start_replica: StartPod, bundle: Bundle
) -> None:
    source = "@env.task\ndef f() -> int:\n    for _ in range(300):\n        print('x' * 65_000)\n    return 1\n"
    digest = bundle(source)
    pod = await start_replica(pool_listener.address)
    pool.place(1, "f", bundle=digest, is_async=False)
    await pool.end_of(1)
    assert len(pool.printed(1)) == 300 * 65_001
    assert pod.process.returncode is None


async def everything_arrived(pool: PoolOwner) -> None:
    """Two heartbeats on: what was said before the first was acknowledged before the second."""
    heartbeats = pool.heartbeats
    await pool.until(lambda: pool.heartbeats > heartbeats + 1)
