"""The contract of the cache's store, over all adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.postgres import database_url

from flyteplane.cache.application.ports import Entries, Selection
from flyteplane.cache.domain.entries import Entry, EntryKey, Item, PutOutcome
from flyteplane.cache.domain.limits import Totals
from flyteplane.cache.store.memory_entries import MemoryEntries
from flyteplane.cache.store.sql_entries import SqlEntries
from flyteplane.records import migrate, open_database

STORED, EXISTED, FENCED = PutOutcome.STORED, PutOutcome.EXISTED, PutOutcome.FENCED


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def entries(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Entries]:
    entries: Entries = MemoryEntries()
    if request.param != "memory":
        database = await open_database(database_url(request.param, request=request, folder=tmp_path))
        await migrate(database, package="flyteplane.cache.store.migrations")
        entries = SqlEntries(database)
    yield entries
    await entries.close()


def key(number: int, *, project: str = "p", domain: str = "d") -> EntryKey:
    return EntryKey(project, domain, number.to_bytes(2, "big") * 16)


def entry(number: int, *, task: str = "e.t", version: str = "1", at: float = 0.0, run: str = "r") -> Entry:
    return Entry(
        key=key(number),
        outputs=b"v" * 10,
        producer=f"p/d/{run}/a0",
        task_name=task,
        cache_version=version,
        objects=("file:///a b", "s3://c"),
        created_at=at or float(number),
        used_at=at or float(number),
        size_bytes=10,
    )


async def fill(entries: Entries, *numbers: int) -> None:
    outcomes = await entries.put([Item(entry=entry(number)) for number in numbers])
    assert set(outcomes) == {STORED}


async def test_what_was_stored_is_found_as_it_was(entries: Entries) -> None:
    await fill(entries, 1, 2)
    assert await entries.find([key(2), key(3), key(1)]) == {key(1): entry(1), key(2): entry(2)}
    assert await entries.find([]) == {}
    assert await entries.put([]) == []


@pytest.mark.parametrize("count", [1, 2, 8, 9, 65, 400, 401, 1000])
async def test_any_number_of_keys_is_found_at_once(entries: Entries, count: int) -> None:
    await fill(entries, *range(count))
    asked = [key(number) for number in range(count)]
    found = await entries.find([*asked, *(key(number, domain="other") for number in range(count))])
    assert set(found) == set(asked)


async def test_scopes_are_apart_and_one_may_be_empty(entries: Entries) -> None:
    shared = replace(entry(1), key=key(1, project="", domain=""))
    await entries.put([Item(entry=shared)])
    assert await entries.find([key(1), key(1, project="", domain="")]) == {shared.key: shared}


async def test_the_first_value_stays_unless_it_is_overwritten_or_too_old(entries: Entries) -> None:
    await fill(entries, 1)
    second = entry(1, at=100.0, run="second")
    assert await entries.put([Item(entry=second)]) == [EXISTED]
    assert await entries.put([Item(entry=second, max_age_s=99.5)]) == [EXISTED]
    assert await entries.put([Item(entry=second, max_age_s=99.0)]) == [STORED]
    third = entry(1, at=101.0, run="third")
    assert await entries.put([Item(entry=third, overwrite=True), Item(entry=second)]) == [STORED, EXISTED]
    assert await entries.find([key(1)]) == {key(1): third}


async def test_of_two_holders_the_later_one_stores(entries: Entries) -> None:
    assert await entries.hold([(key(1), 5), (key(2), 5)], at=1.0) == [True, True]
    assert await entries.hold([(key(1), 9)], at=2.0) == [True]
    assert await entries.hold([(key(1), 7), (key(1), 9)], at=3.0) == [False, True]
    late = Item(entry=entry(1, run="late"), reservation=5)
    new = Item(entry=entry(1, run="new"), reservation=9)
    assert await entries.put([late]) == [FENCED]
    assert await entries.put([new, late]) == [STORED, FENCED]
    assert await entries.put([new]) == [EXISTED], "the same store again"
    unknown = Item(entry=entry(3), reservation=5)
    assert await entries.put([unknown]) == [FENCED]


async def test_a_holder_whose_store_was_done_before_it_lost_the_key_is_told_so(entries: Entries) -> None:
    await entries.hold([(key(1), 5)], at=1.0)
    item = Item(entry=entry(1), reservation=5)
    await entries.put([item])
    await entries.hold([(key(1), 6)], at=2.0)
    assert await entries.put([item]) == [EXISTED]


async def test_tokens_are_forgotten_once_they_are_old(entries: Entries) -> None:
    await entries.hold([(key(1), 5)], at=1.0)
    await entries.hold([(key(2), 5)], at=10.0)
    await entries.forget_tokens(held_before=5.0)
    items = [Item(entry=entry(number), reservation=5) for number in (1, 2)]
    assert await entries.put(items) == [FENCED, STORED]


async def test_only_the_very_entry_is_removed(entries: Entries) -> None:
    await fill(entries, 1, 2)
    replaced = entry(1, at=50.0)
    await entries.put([Item(entry=replaced, overwrite=True)])
    assert await entries.remove([entry(1), entry(2), entry(3)]) == 1
    assert await entries.find([key(1), key(2)]) == {key(1): replaced}


async def test_entries_are_selected_by_all_conditions_together(entries: Entries) -> None:
    described = [(1, "e.t", "1"), (2, "e.t", "2"), (3, "e.u", "1"), (4, "e.t", "1")]
    await entries.put([Item(entry=entry(number, task=task, version=version)) for number, task, version in described])

    async def selected(**conditions: object) -> list[float]:
        selection = Selection(project="p", domain="d", **conditions)  # type: ignore[arg-type]
        return [one.created_at for one in await entries.page(selection, before=None, limit=10)]

    assert await selected() == [4, 3, 2, 1]
    assert await selected(task_name="e.t") == [4, 2, 1]
    assert await selected(task_name="e.t", cache_version="1") == [4, 1]
    assert await selected(cache_version="1", created_before=4.0) == [3, 1]
    assert await selected(digests=(key(2).digest, key(9).digest)) == [2]
    elsewhere = Selection(project="p", domain="other")
    assert await entries.page(elsewhere, before=None, limit=10) == []
    deleted = await entries.delete(Selection(project="p", domain="d", task_name="e.t", created_before=4.0))
    assert deleted == Totals(entries=2, bytes=20)
    assert await selected() == [4, 3]


async def test_pages_go_on_where_the_one_before_ended(entries: Entries) -> None:
    await entries.put([Item(entry=entry(number, at=float(number // 2 + 1))) for number in range(7)])
    selection, before, seen = Selection(project="p", domain="d"), None, []
    while page := await entries.page(selection, before=before, limit=2):
        assert all(one.outputs == b"" for one in page)
        seen += [one.key for one in page]
        before = (page[-1].created_at, page[-1].key.digest)
    assert seen == [key(number) for number in (6, 5, 4, 3, 2, 1, 0)]


async def test_what_was_not_used_for_longest_is_evicted_first(entries: Entries) -> None:
    await fill(entries, *range(1, 7))
    assert await entries.totals() == Totals(entries=6, bytes=60)
    await entries.touch([key(1), key(99)], at=100.0)
    assert await entries.evict(Totals(bytes=15), most=10) == Totals(entries=2, bytes=20)
    assert await entries.evict(Totals(entries=1), most=10) == Totals(entries=1, bytes=10)
    assert await entries.evict(Totals(entries=9), most=1) == Totals(entries=1, bytes=10)
    assert await entries.evict(Totals(), most=10) == Totals()
    assert set(await entries.find([key(number) for number in range(1, 7)])) == {key(1), key(6)}


async def test_what_is_too_old_goes_a_part_at_a_time(entries: Entries) -> None:
    await fill(entries, *range(1, 6))
    gone = [(await entries.expire(created_before=5.0, most=3)).entries for _ in range(3)]
    assert gone == [3, 1, 0]
    assert await entries.totals() == Totals(entries=1, bytes=10)


async def test_every_era_is_new(entries: Entries) -> None:
    assert [await entries.next_era() for _ in range(3)] == [1, 2, 3]
