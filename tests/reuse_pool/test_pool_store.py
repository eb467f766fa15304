"""The contract of the register of pools and replicas, over all adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.migrations import assert_revisions_make_the_schema
from tests.support.postgres import database_url

from flyteplane.foundation.errors import Aborted
from flyteplane.reuse_pool.application.ports import PoolRecord, PoolStore, ReplicaRecord
from flyteplane.reuse_pool.store.memory_store import MemoryPoolStore
from flyteplane.reuse_pool.store.sql_store import open_sql_store

POOL = PoolRecord(
    name="a" * 64, project="p", domain="d", environment="env", run="", created_at=10.0, declaration=b"as declared"
)
REPLICA = ReplicaRecord(name="replica-1", pool=POOL.name, started_at=11.0)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PoolStore]:
    opened: PoolStore = MemoryPoolStore()
    if request.param != "memory":
        opened = await open_sql_store(database_url(request.param, request=request, folder=tmp_path))
    await opened.claim(at_least=1)
    yield opened
    await opened.close()


async def test_a_new_register_is_empty(store: PoolStore) -> None:
    assert list(await store.pools()) == []
    assert list(await store.living_replicas()) == []


async def test_a_pool_keeps_the_time_at_which_it_was_first_seen(store: PoolStore) -> None:
    await store.note_pool(POOL)
    await store.note_pool_end(POOL.name, at=20.0, reason="drained")
    later = PoolRecord(
        name=POOL.name,
        project="p",
        domain="d",
        environment="env",
        run="",
        created_at=30.0,
        declaration=POOL.declaration,
    )
    await store.note_pool(later)
    assert list(await store.pools()) == [POOL]


async def test_a_replica_lives_until_its_end_is_noted(store: PoolStore) -> None:
    await store.note_replica(REPLICA)
    await store.note_replica(REPLICA)
    assert list(await store.living_replicas()) == [REPLICA]
    await store.note_replica_end(REPLICA.name, at=12.0, reason="exited with code 0")
    await store.note_replica_end(REPLICA.name, at=13.0, reason="lost")
    assert list(await store.living_replicas()) == []


async def test_what_a_later_leader_needs_of_a_replica_is_kept(store: PoolStore) -> None:
    await store.note_replica(REPLICA)
    await store.note_warm(REPLICA.name)
    await store.note_draining(REPLICA.name)
    assert list(await store.living_replicas()) == [replace(REPLICA, warm=True, draining=True)]


async def test_bounds_that_people_gave_a_pool_hold_until_it_is_opened_anew(store: PoolStore) -> None:
    await store.note_pool(POOL)
    await store.note_bounds(POOL.name, min_replicas=2, max_replicas=5)
    assert list(await store.pools()) == [replace(POOL, min_replicas=2, max_replicas=5)]
    await store.note_pool(POOL)
    assert list(await store.pools()) == [POOL]


async def test_epochs_grow_and_the_scheduler_that_was_heard_last_is_known(store: PoolStore) -> None:
    await store.note_scheduler(70)
    second = await store.claim(at_least=1)
    third = await store.claim(at_least=40)
    assert (second.epoch, third.epoch) == (2, 40)
    assert (second.scheduler, third.scheduler) == (70, 70)


async def test_a_leader_that_was_replaced_writes_nothing(
    store: PoolStore, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    await store.note_pool(POOL)
    if isinstance(store, MemoryPoolStore):
        later: PoolStore = store.open()
    else:
        kind = request.node.callspec.params["store"]
        later = await open_sql_store(database_url(kind, request=request, folder=tmp_path))
    await later.claim(at_least=1)
    writes: list[Callable[[], Awaitable[object]]] = [
        lambda: store.note_pool(POOL),
        lambda: store.note_bounds(POOL.name, min_replicas=0, max_replicas=9),
        lambda: store.note_pool_end(POOL.name, at=1.0, reason=""),
        lambda: store.note_replica(REPLICA),
        lambda: store.note_warm(REPLICA.name),
        lambda: store.note_draining(REPLICA.name),
        lambda: store.note_replica_end(REPLICA.name, at=1.0, reason=""),
        lambda: store.note_scheduler(9),
        lambda: store.prune(before=1e12),
    ]
    for write in writes:
        with pytest.raises(Aborted) as refused:
            await write()
        assert refused.value.reason == "FENCED"
    assert list(await later.pools()) == [POOL]
    assert not await later.living_replicas()
    await later.close()


async def test_the_end_of_something_unknown_is_nothing(store: PoolStore) -> None:
    await store.note_replica_end("never-seen", at=1.0, reason="")
    await store.note_pool_end("never-seen", at=1.0, reason="")
    assert list(await store.pools()) == []


async def test_what_ended_long_ago_is_forgotten_and_what_lives_is_kept(store: PoolStore) -> None:
    other = PoolRecord(name="b" * 64, project="p", domain="d", environment="env", run="r1", created_at=15.0)
    await store.note_pool(POOL)
    await store.note_pool(other)
    await store.note_replica(REPLICA)
    await store.note_pool_end(POOL.name, at=20.0, reason="drained")
    await store.prune(before=19.0)
    assert {pool.name for pool in await store.pools()} == {POOL.name, other.name}
    await store.prune(before=21.0)
    assert list(await store.pools()) == [other]
    assert list(await store.living_replicas()) == [REPLICA]


async def test_a_register_on_disk_survives_its_service(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/reuse_pool.db"
    first = await open_sql_store(url)
    await first.claim(at_least=1)
    await first.note_pool(POOL)
    await first.note_replica(REPLICA)
    await first.close()
    second = await open_sql_store(url)
    assert list(await second.pools()) == [POOL]
    assert list(await second.living_replicas()) == [REPLICA]
    await second.close()


async def test_the_revisions_make_the_schema() -> None:
    await assert_revisions_make_the_schema("flyteplane.reuse_pool.store.migrations")
