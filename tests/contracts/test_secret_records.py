"""The contract of the secrets service's store, over all adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.postgres import database_url

from flyteplane.foundation.repetition import REQUESTS_KEPT_S
from flyteplane.records import migrate, open_database
from flyteplane.secrets.application.ports import SecretRecords
from flyteplane.secrets.domain.names import SecretName, SecretScope
from flyteplane.secrets.domain.values import Sealed, SecretInfo, WrappedKey
from flyteplane.secrets.store.memory_secrets import MemorySecrets
from flyteplane.secrets.store.sql_secrets import SqlSecrets

ORGANISATION = SecretName("", "", "", "token")
PROJECT = SecretName("p", "", "", "token")
BOTH = SecretName("p", "d", "", "token")


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SecretRecords]:
    records: SecretRecords = MemorySecrets()
    if request.param != "memory":
        database = await open_database(database_url(request.param, request=request, folder=tmp_path))
        await migrate(database, package="flyteplane.secrets.store.migrations")
        records = SqlSecrets(database)
    yield records
    await records.close()


def info(name: SecretName, *, version: int = 1) -> SecretInfo:
    return SecretInfo(name=name, version=version, created_at=1.5, updated_at=float(version))


def sealed(content: bytes = b"content", *, key_id: str = "key") -> Sealed:
    return Sealed(key=WrappedKey(key_id=key_id, content=b"wrapped"), content=content)


async def store(records: SecretRecords, name: SecretName, *, content: bytes = b"content", key_id: str = "key") -> None:
    assert await records.put(info(name), sealed(content, key_id=key_id), expecting=0)


async def delete(records: SecretRecords, name: SecretName) -> None:
    assert await records.put(replace(info(name, version=2), deleted=True), None, expecting=1)


async def test_a_stored_secret_is_found_as_it_was_stored(records: SecretRecords) -> None:
    await store(records, BOTH)
    assert await records.find(BOTH) == info(BOTH)
    (found,) = await records.fetch([[BOTH]])
    assert found is not None
    assert (found.info, found.sealed) == (info(BOTH), sealed())


async def test_what_was_never_stored_is_not_found(records: SecretRecords) -> None:
    assert await records.find(BOTH) is None
    assert list(await records.fetch([[BOTH], []])) == [None, None]
    assert list(await records.locate([])) == []


async def test_a_version_is_stored_only_in_place_of_the_expected_one(records: SecretRecords) -> None:
    await store(records, BOTH)
    assert not await records.put(info(BOTH), sealed(b"second"), expecting=0)
    assert not await records.put(info(BOTH, version=3), sealed(b"third"), expecting=2)
    assert await records.put(info(BOTH, version=2), sealed(b"second"), expecting=1)
    (found,) = await records.fetch([[BOTH]])
    assert found is not None
    assert (found.info.version, found.sealed.content) == (2, b"second")


async def test_a_deleted_secret_keeps_nothing_but_its_version(records: SecretRecords) -> None:
    await store(records, BOTH)
    await delete(records, BOTH)
    known = await records.find(BOTH)
    assert known is not None
    assert (known.version, known.deleted) == (2, True)
    assert list(await records.fetch([[BOTH]])) == [None]
    assert list(await records.locate([[BOTH]])) == [None]
    assert list(await records.page(scope=None, after=None, limit=10)) == []
    assert list(await records.under_other_keys("other", after=None, limit=10)) == []
    assert await records.put(info(BOTH, version=3), sealed(), expecting=2)


async def test_the_first_living_candidate_is_found(records: SecretRecords) -> None:
    await store(records, ORGANISATION, content=b"organisation")
    await store(records, PROJECT, content=b"project")
    await store(records, BOTH, content=b"both")
    await delete(records, BOTH)
    candidates = [[BOTH, PROJECT, ORGANISATION], [BOTH], [ORGANISATION, PROJECT]]
    fetched = await records.fetch(candidates)
    assert [one and one.sealed.content for one in fetched] == [b"project", None, b"organisation"]
    assert [one and one.name for one in await records.locate(candidates)] == [PROJECT, None, ORGANISATION]


async def test_many_candidates_are_found_at_once(records: SecretRecords) -> None:
    names = [SecretName("p", "d", "group", f"key{number:04}") for number in range(500)]
    for name in names:
        await store(records, name, content=name.key.encode())
    fetched = await records.fetch([[replace_project(name), name] for name in reversed(names)])
    assert [one and one.sealed.content for one in fetched] == [name.key.encode() for name in reversed(names)]


def replace_project(name: SecretName) -> SecretName:
    return name._replace(project="other")


async def test_pages_follow_the_order_of_names(records: SecretRecords) -> None:
    names = [SecretName(*parts) for parts in (("", "", "", "b"), ("", "d", "", "a"), ("p", "", "g", "a"), ("p", "", "g", "b"), ("p", "d", "", "a"))]  # fmt: skip  # noqa: E501
    for name in reversed(names):
        await store(records, name)
    listed: list[SecretName] = []
    while page := await records.page(scope=None, after=listed[-1] if listed else None, limit=2):
        assert len(page) <= 2
        listed += [one.name for one in page]
    assert listed == names


async def test_a_scope_lists_only_what_is_exactly_in_it(records: SecretRecords) -> None:
    for name in (ORGANISATION, PROJECT, BOTH):
        await store(records, name)
    page = await records.page(scope=SecretScope("p", ""), after=None, limit=10)
    assert [one.name for one in page] == [PROJECT]


async def test_data_keys_under_other_keys_are_found_and_replaced(records: SecretRecords) -> None:
    await store(records, ORGANISATION, key_id="old")
    await store(records, PROJECT, key_id="new")
    await store(records, BOTH, key_id="old")
    first = await records.under_other_keys("new", after=None, limit=1)
    second = await records.under_other_keys("new", after=first[-1][0].name, limit=10)
    assert [found.name for found, _ in (*first, *second)] == [ORGANISATION, BOTH]
    fresh = WrappedKey(key_id="new", content=b"fresh")
    assert await records.rewrap([(found, fresh) for found, _ in (*first, *second)]) == 2
    assert list(await records.under_other_keys("new", after=None, limit=10)) == []
    (found,) = await records.fetch([[BOTH]])
    assert found is not None
    assert found.sealed == Sealed(key=fresh, content=b"content")


async def test_a_data_key_is_not_replaced_once_the_version_has_changed(records: SecretRecords) -> None:
    await store(records, BOTH, key_id="old")
    await store(records, PROJECT, key_id="old")
    assert await records.put(info(BOTH, version=2), sealed(b"second", key_id="old"), expecting=1)
    await delete(records, PROJECT)
    fresh = WrappedKey(key_id="new", content=b"fresh")
    assert await records.rewrap([(info(BOTH), fresh), (info(PROJECT), fresh), (info(ORGANISATION), fresh)]) == 0
    (found,) = await records.fetch([[BOTH]])
    assert found is not None
    assert found.sealed.key.content == b"wrapped"


async def test_a_request_is_remembered_with_what_it_stored(records: SecretRecords) -> None:
    assert await records.answered("one") is None
    assert await records.put(info(BOTH), sealed(), expecting=0, request="one")
    assert await records.put(info(BOTH, version=2), sealed(b"second"), expecting=1, request="two")
    assert await records.answered("one") == info(BOTH)
    assert await records.answered("two") == info(BOTH, version=2)
    assert not await records.put(info(BOTH, version=2), sealed(b"second"), expecting=1, request="three")
    assert await records.answered("three") is None


async def test_a_request_that_stored_one_secret_stores_no_other(records: SecretRecords) -> None:
    assert await records.put(info(BOTH), sealed(), expecting=0, request="one")
    assert not await records.put(info(PROJECT), sealed(), expecting=0, request="one")
    assert await records.find(PROJECT) is None
    assert await records.answered("one") == info(BOTH)


async def test_a_request_is_forgotten_in_time(records: SecretRecords) -> None:
    assert await records.put(info(BOTH), sealed(), expecting=0, request="one")
    later = replace(info(PROJECT), updated_at=info(BOTH).updated_at + REQUESTS_KEPT_S)
    assert await records.put(later, sealed(), expecting=0, request="two")
    assert await records.answered("one") is not None
    later = replace(info(ORGANISATION), updated_at=later.updated_at + 1)
    assert await records.put(later, sealed(), expecting=0, request="three")
    assert await records.answered("one") is None
    assert await records.answered("two") is not None


async def test_keys_are_counted_by_the_living_secrets_that_need_them(records: SecretRecords) -> None:
    assert dict(await records.keys_in_use()) == {}
    for name, key_id in ((ORGANISATION, "old"), (PROJECT, "new"), (BOTH, "new")):
        await store(records, name, key_id=key_id)
    assert dict(await records.keys_in_use()) == {"old": 1, "new": 2}
    await delete(records, BOTH)
    assert dict(await records.keys_in_use()) == {"old": 1, "new": 1}
