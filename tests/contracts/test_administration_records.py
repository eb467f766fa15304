"""The contract of the store of queues and resource classes, over all adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.support.postgres import database_url

from flyteplane.foundation.errors import Aborted, AlreadyExists
from flyteplane.foundation.repetition import RequestMark
from flyteplane.records import migrate, open_database
from flyteplane.scheduler.application.administration_ports import AdministrationRecords, AnsweredRequest
from flyteplane.scheduler.application.ports import Records
from flyteplane.scheduler.domain.definitions import Entries
from flyteplane.scheduler.domain.queueing.classes import ResourceClass
from flyteplane.scheduler.domain.queueing.settings import QueueSettings
from flyteplane.scheduler.store.memory_administration import MemoryAdministration
from flyteplane.scheduler.store.memory_records import MemoryRecords
from flyteplane.scheduler.store.sql_administration import SqlAdministration
from flyteplane.scheduler.store.sql_records import SqlRecords

QUEUE = QueueSettings(
    name="gpu", run_concurrency=1, action_concurrency=2, depth=3, priority=1000, clusters=("prod",), draining=True
)
CLASS = ResourceClass(
    name="small",
    max_cpu_millis=2000,
    max_memory_bytes=2**53 + 1,
    max_accelerators={"GPU/A100": 8},
    clusters=("prod", "local"),
    quota_cpu_millis=100_000,
    quota_memory_bytes=2**60,
    node_selector={"example.com/pool": "gpu"},
    tolerations_json='[{"key": "gpu", "operator": "Exists"}]',
    priority_class="high",
    allow_host_paths=True,
    allow_service_account_token=True,
    service_accounts=("robot",),
)


@dataclass(frozen=True, slots=True)
class Owner:
    """One scheduler's access to its stores."""

    shard: Records
    administration: AdministrationRecords


Open = Callable[[], Awaitable[Owner]]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def open_owner(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens one owner after another on the same store."""
    opened: list[Records] = []
    memory = MemoryRecords()
    rows = MemoryAdministration(memory)
    url = database_url(request.param, request=request, folder=tmp_path)

    async def open_one() -> Owner:
        if request.param == "memory":
            owner = Owner(memory.open(), rows.open())
        else:
            database = await open_database(url)
            await migrate(database, package="flyteplane.scheduler.store.migrations")
            owner = Owner(SqlRecords(database), SqlAdministration(database))
        opened.append(owner.shard)
        return owner

    yield open_one
    for shard in opened:
        await shard.close()


async def claimed(open_owner: Open) -> AdministrationRecords:
    """The administration of an owner that has claimed the shard."""
    owner = await open_owner()
    owner.administration.take_over(await owner.shard.claim(at_least=1))
    return owner.administration


async def test_an_empty_store_has_no_entries(open_owner: Open) -> None:
    assert await (await claimed(open_owner)).load() == Entries()


async def test_every_field_comes_back_as_it_was_stored(open_owner: Open) -> None:
    records = await claimed(open_owner)
    await records.put_queue(QUEUE)
    await records.put_class(CLASS)
    assert await records.load() == Entries(queues=(QUEUE,), classes=(CLASS,))


async def test_the_next_owner_finds_what_was_stored(open_owner: Open) -> None:
    records = await claimed(open_owner)
    await records.put_queue(QUEUE)
    await records.put_class(CLASS)
    assert await (await claimed(open_owner)).load() == Entries(queues=(QUEUE,), classes=(CLASS,))


async def test_an_entry_takes_the_place_of_the_one_of_its_name(open_owner: Open) -> None:
    records = await claimed(open_owner)
    await records.put_queue(QUEUE)
    await records.put_class(CLASS)
    plain_queue, plain_class = QueueSettings(name="gpu"), ResourceClass(name="small")
    await records.put_queue(plain_queue)
    await records.put_class(plain_class)
    assert await records.load() == Entries(queues=(plain_queue,), classes=(plain_class,))


async def test_entries_come_in_order_of_names(open_owner: Open) -> None:
    records = await claimed(open_owner)
    for name in ("c", "a", "b"):
        await records.put_queue(QueueSettings(name=name))
        await records.put_class(ResourceClass(name=name))
    found = await records.load()
    assert [queue.name for queue in found.queues] == ["a", "b", "c"]
    assert [shape.name for shape in found.classes] == ["a", "b", "c"]


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(open_owner: Open) -> None:
    records = await claimed(open_owner)
    await records.put_queue(QUEUE)
    await records.put_class(CLASS)
    for _ in range(2):
        await records.delete_queue("gpu")
        await records.delete_class("small")
    assert await records.load() == Entries()


def writes(records: AdministrationRecords) -> list[Awaitable[None]]:
    """Every write that there is."""
    return [
        records.put_queue(QueueSettings(name="other")),
        records.delete_queue("gpu"),
        records.put_class(ResourceClass(name="other")),
        records.delete_class("small"),
    ]


async def test_an_owner_that_was_replaced_changes_nothing(open_owner: Open) -> None:
    paused = await claimed(open_owner)
    await paused.put_queue(QUEUE)
    await paused.put_class(CLASS)
    leader = await claimed(open_owner)
    for write in writes(paused):
        with pytest.raises(Aborted) as refused:
            await write
        assert refused.value.reason == "FENCED"
    assert await leader.load() == Entries(queues=(QUEUE,), classes=(CLASS,))


async def test_an_owner_without_a_claim_changes_nothing(open_owner: Open) -> None:
    owner = await open_owner()
    for write in writes(owner.administration):
        with pytest.raises(Aborted):
            await write
    assert await owner.administration.load() == Entries()


def noted(name: bytes, *, at: float = 1.0) -> AnsweredRequest:
    return AnsweredRequest(mark=RequestMark(name=name, content=b"this"), at=at)


async def test_a_write_keeps_which_request_it_answers_for_a_day(open_owner: Open) -> None:
    owner = await open_owner()
    owner.administration.take_over(await owner.shard.claim(at_least=1))
    writes: tuple[Callable[[AnsweredRequest], Awaitable[None]], ...] = (
        lambda request: owner.administration.put_queue(QUEUE, request=request),
        lambda request: owner.administration.delete_queue(QUEUE.name, request=request),
        lambda request: owner.administration.put_class(CLASS, request=request),
        lambda request: owner.administration.delete_class(CLASS.name, request=request),
    )
    for number, write in enumerate(writes):
        request = noted(bytes([number]), at=100.0 + number)
        assert not await owner.administration.is_answered(request)
        await write(request)
        assert await owner.administration.is_answered(request)
        with pytest.raises(AlreadyExists) as caught:
            await owner.administration.is_answered(replace(request, mark=replace(request.mark, content=b"other")))
        assert caught.value.reason == "REQUEST_ID_REUSED"
    await owner.administration.put_queue(QUEUE)
    fenced = await open_owner()
    await fenced.shard.claim(at_least=2)
    with pytest.raises(Aborted):
        await owner.administration.put_queue(QUEUE, request=noted(b"fenced"))
    assert await fenced.administration.is_answered(noted(bytes([0])))
    assert not await fenced.administration.is_answered(noted(b"fenced"))
