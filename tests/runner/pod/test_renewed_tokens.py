"""Pods use the newest token that they were given: for their data, and for Hello on the next stream."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.runner.owner import decode, encode
from tests.runner.pod.conftest import StartPod
from tests.support.pool_owner import PoolOwner
from tests.support.worker_owner import Listener, StoredData, WorkerOwner

from flyteapi.scheduler.v1.worker_service_pb2 import TokenRenewed, WorkerOrder

Bundle = Callable[[str], str]

WAITS_AND_RETURNS_MUCH = (
    "@env.task\nasync def f(path: str) -> str:\n    print('begun')\n"
    "    while not os.path.exists(path):\n        await asyncio.sleep(0.01)\n"
    "    return 'x' * 1_000_000\n"
)


def renewed(token: str, *, lease: int = 0) -> WorkerOrder:
    """The order that brings a token."""
    return WorkerOrder(lease=lease, token_renewed=TokenRenewed(token=token))


async def beats_again(owner: WorkerOwner) -> None:
    """Two heartbeats later a pod has obeyed what it was told before."""
    before = owner.heartbeats
    await owner.until(lambda: owner.heartbeats >= before + 2)


async def test_an_attempt_goes_on_with_the_newest_token(
    owner: WorkerOwner, listener: Listener, data: StoredData, start_pod: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    path = tmp_path / "go"
    owner.assign("f", encode(path=str(path)), bundle=bundle(WAITS_AND_RETURNS_MUCH))
    # As for a pod that waited long: the first comes before the assignment.
    owner.first_orders.insert(0, renewed("second"))
    pod = await start_pod(listener.address, contact_s=4.0)
    await owner.until(lambda: len(owner.hellos) == 2 and "begun" in owner.logged())
    owner.tell(renewed("third"), renewed("fourth"))
    await beats_again(owner)
    await listener.stop()
    await listener.start()
    await owner.until(lambda: len(owner.hellos) == 3)
    path.touch()
    uri = (await owner.end()).outputs.reference.uri
    assert decode(data.objects[uri]) == ["x" * 1_000_000]
    assert [hello.token for hello in owner.hellos] == ["the-token", "second", "fourth"]
    assert data.tokens_for(uri) == ["fourth"]
    assert await pod.exit_code() == 0


async def test_a_replica_and_each_of_its_attempts_have_tokens_of_their_own(
    pool: PoolOwner, pool_listener: Listener, data: StoredData, start_replica: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    digest, path = bundle(WAITS_AND_RETURNS_MUCH), tmp_path / "go"
    await start_replica(pool_listener.address, contact_s=4.0)
    for lease in (1, 2):
        pool.place(lease, "f", encode(path=str(path)), bundle=digest)
    await pool.until(lambda: all("begun" in pool.printed(lease) for lease in (1, 2)))
    pool.tell(renewed("new-2", lease=2), renewed("new-replica"), renewed("of nobody", lease=9))
    await beats_again(pool)
    before = len(pool.hellos)
    await pool_listener.stop()
    await pool_listener.start()
    await pool.until(lambda: len(pool.hellos) > before)
    path.touch()
    for lease, token in ((1, "token-1"), (2, "new-2")):
        uri = (await pool.end_of(lease)).outputs.reference.uri
        assert data.tokens_for(uri) == [token]
    assert pool.hellos[-1].token == "new-replica"
