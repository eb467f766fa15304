"""The contracts of admin's stores of keys, roles and the audit log, over all adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.support.postgres import database_url

from flyteplane.admin.application.identity_ports import AuditStore, KeyStore, RoleStore
from flyteplane.admin.domain.api_key import ApiKey, StoredKey
from flyteplane.admin.domain.audit import AuditFilter
from flyteplane.admin.store.api_keys import SqlKeyStore
from flyteplane.admin.store.audit import SqlAuditStore
from flyteplane.admin.store.memory_identity import MemoryAuditStore, MemoryKeyStore, MemoryRoleStore
from flyteplane.admin.store.preparation import MIGRATIONS
from flyteplane.admin.store.role_grants import SqlRoleStore
from flyteplane.foundation.errors import AlreadyExists
from flyteplane.foundation.repetition import RequestMark
from flyteplane.identity.audit import AuditRecord
from flyteplane.identity.callers import Grant, Role, Scope
from flyteplane.identity.settings import SubjectGrant
from flyteplane.records import migrate, open_database

RUNNER = Grant(Role.RUNNER, Scope("a", "development"))
VIEWER = Grant(Role.VIEWER, Scope())


@dataclass(frozen=True, slots=True)
class Stores:
    keys: KeyStore
    roles: RoleStore
    audit: AuditStore


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield Stores(MemoryKeyStore(), MemoryRoleStore(), MemoryAuditStore())
        return
    database = await open_database(database_url(request.param, request=request, folder=tmp_path))
    await migrate(database, package=MIGRATIONS)
    yield Stores(SqlKeyStore(database), SqlRoleStore(database), SqlAuditStore(database))
    await database.close()


def stored(name: str) -> StoredKey:
    key = ApiKey(name=name, grants=(VIEWER, RUNNER), created_at_us=1, created_by="oidc:alice", expires_at_us=2**45)
    return StoredKey(key, name.encode() * 4)


async def test_a_key_is_found_as_it_was_made(stores: Stores) -> None:
    for name in ("second", "first"):
        assert await stores.keys.add(stored(name))
    assert await stores.keys.find("first") == stored("first")
    assert await stores.keys.find("third") is None
    assert list(await stores.keys.list(after="", limit=9)) == [stored("first").key, stored("second").key]


async def test_keys_are_listed_from_any_name_on(stores: Stores) -> None:
    for name in ("c", "a", "b"):
        await stores.keys.add(stored(name))
    assert [key.name for key in await stores.keys.list(after="", limit=2)] == ["a", "b"]
    assert [key.name for key in await stores.keys.list(after="a", limit=9)] == ["b", "c"]
    assert list(await stores.keys.list(after="c", limit=9)) == []


async def test_a_request_that_is_sent_again_finds_the_key_that_it_made(stores: Stores) -> None:
    first, again = RequestMark(name=b"1", content=b"this"), replace(stored("k"), digest=b"another")
    assert await stores.keys.add(stored("k"), request=first) == stored("k")
    assert await stores.keys.add(again, request=first) == stored("k"), "as it was stored, not as it would be now"
    await stores.keys.revoke("k", at_us=7)
    found = await stores.keys.add(stored("k"), request=first)
    assert found is not None
    assert found.key.revoked_at_us == 7
    assert await stores.keys.add(stored("k"), request=RequestMark(name=b"2", content=b"this")) is None
    assert await stores.keys.add(stored("k")) is None
    with pytest.raises(AlreadyExists) as refusal:
        await stores.keys.add(stored("other"), request=RequestMark(name=b"1", content=b"that"))
    assert refusal.value.reason == "REQUEST_ID_REUSED"
    assert await stores.keys.find("other") is None


async def test_a_name_means_one_key_for_ever(stores: Stores) -> None:
    await stores.keys.add(stored("k"))
    assert await stores.keys.revoke("k", at_us=7)
    assert await stores.keys.revoke("k", at_us=8)
    assert not await stores.keys.add(stored("k"))
    found = await stores.keys.find("k")
    assert found == replace(stored("k"), key=replace(stored("k").key, revoked_at_us=7))
    assert not await stores.keys.revoke("other", at_us=9)


async def test_roles_are_given_once_and_taken_one_by_one(stores: Stores) -> None:
    for _ in range(2):
        await stores.roles.grant("oidc:alice", RUNNER)
    await stores.roles.grant("oidc:alice", VIEWER)
    await stores.roles.grant("group:data", VIEWER)
    assert sorted(await stores.roles.of(["oidc:alice", "oidc:nobody"])) == [VIEWER, RUNNER]
    assert await stores.roles.of([]) == []
    await stores.roles.revoke("oidc:alice", VIEWER)
    await stores.roles.revoke("oidc:alice", VIEWER)
    assert list(await stores.roles.list()) == [
        SubjectGrant(subject="group:data", grant=VIEWER),
        SubjectGrant(subject="oidc:alice", grant=RUNNER),
    ]


def record(at_us: int, *, subject: str = "key:k", project: str = "a", domain: str = "development") -> AuditRecord:
    return AuditRecord(
        at_us=at_us, subject=subject, method="s/M", target="t", status="OK", scope=Scope(project, domain)
    )


async def test_the_log_is_read_from_its_end_in_pages(stores: Stores) -> None:
    await stores.audit.add([])
    await stores.audit.add([record(1), record(2)])
    await stores.audit.add([record(3)])
    first = await stores.audit.page(AuditFilter(), before=None, limit=2)
    assert [entry for _, entry in first] == [record(3), record(2)]
    second = await stores.audit.page(AuditFilter(), before=first[-1][0], limit=2)
    assert [entry for _, entry in second] == [record(1)]


async def test_the_log_is_chosen_from_by_subject_place_and_time(stores: Stores) -> None:
    await stores.audit.add(
        [record(1), record(2, subject="key:other"), record(3, project="b"), record(4, domain="production")]
    )

    async def times(wanted: AuditFilter) -> list[int]:
        return [entry.at_us for _, entry in await stores.audit.page(wanted, before=None, limit=10)]

    assert await times(AuditFilter(subject="key:other")) == [2]
    assert await times(AuditFilter(scope=Scope("a"))) == [4, 2, 1]
    assert await times(AuditFilter(scope=Scope("a", "development"))) == [2, 1]
    assert await times(AuditFilter(after_us=2, before_us=4)) == [3, 2]


async def test_what_is_old_is_forgotten(stores: Stores) -> None:
    await stores.audit.add([record(1), record(2), record(3)])
    assert await stores.audit.forget(before_us=3) == 2
    assert [entry.at_us for _, entry in await stores.audit.page(AuditFilter(), before=None, limit=9)] == [3]
