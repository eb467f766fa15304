"""Two callers at the same time: whatever one does between two looks of the other, both get the answer that is right.

Each has a connection of its own to the database, as two processes have.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final, TypeAlias

import pytest
from tests.support.interleaving import interrupted
from tests.support.postgres import PostgresServer

from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import AlreadyExists, NotFound
from flyteplane.records import migrate, open_database
from flyteplane.secrets.application.catalog import Catalog
from flyteplane.secrets.application.envelope import Envelope
from flyteplane.secrets.application.ports import SecretRecords
from flyteplane.secrets.application.rewrapping import Rewrapping
from flyteplane.secrets.domain.names import SecretName
from flyteplane.secrets.domain.values import SecretInfo, SecretValue
from flyteplane.secrets.keys.key_ring import KeyRing
from flyteplane.secrets.store.memory_secrets import MemorySecrets
from flyteplane.secrets.store.sql_secrets import SqlSecrets

VALUE: Final = SecretValue(b"value")
#: A use case makes three calls of the store, and somebody else may come before each of them.
EACH_CALL: Final = pytest.mark.parametrize("before", [1, 2, 3])
Change: TypeAlias = Callable[[Catalog], Awaitable[object]]


class Two:
    """The same secrets as two callers reach them, and a secret of this test's own."""

    def __init__(self, ours: SecretRecords, theirs: SecretRecords, *, number: int) -> None:
        self.keys = KeyRing([secrets.token_bytes(32)], random_bytes=secrets.token_bytes)
        self.envelope = Envelope(self.keys, random_bytes=secrets.token_bytes)
        self.ours = ours
        self.theirs = self._catalog(theirs)
        self.rewrapping = Rewrapping(records=theirs, envelope=self.envelope, keys=self.keys)
        self.name = SecretName("p", "d", str(number), "token")
        self.other = self.name._replace(key="other")
        self.request = f"request-{number}"

    def overtaken_by(self, change: Change, *, before: int) -> Catalog:
        """Our catalog; right before that call of the store they make their change, as a whole."""
        return self._catalog(interrupted(self.ours, lambda: change(self.theirs), before=before))

    def _catalog(self, records: SecretRecords) -> Catalog:
        return Catalog(records=records, envelope=self.envelope, clock=ManualClock())


@dataclass(frozen=True, slots=True)
class Database:
    """One for all tests of the module."""

    url: str
    numbers: Iterator[int]


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    name = postgres_server.create_database()
    yield Database(postgres_server.url(name), count())
    postgres_server.drop_database(name)


@pytest.fixture(params=["memory", "postgres"])
async def two(request: pytest.FixtureRequest) -> AsyncIterator[Two]:
    if request.param == "memory":
        shared = MemorySecrets()
        yield Two(shared, shared, number=0)
        return
    server: Database = request.getfixturevalue("database")
    ours, theirs = [await open_database(server.url) for _ in range(2)]
    await migrate(ours, package="flyteplane.secrets.store.migrations")
    yield Two(SqlSecrets(ours), SqlSecrets(theirs), number=next(server.numbers))
    for opened in (ours, theirs):
        await opened.close()


@EACH_CALL
async def test_a_create_that_its_repetition_overtakes_gets_the_same_answer(two: Two, before: int) -> None:
    async def create(catalog: Catalog) -> SecretInfo:
        return await catalog.create(two.name, VALUE, request=two.request)

    assert await create(two.overtaken_by(create, before=before)) == await create(two.theirs)
    assert (await two.theirs.get(two.name)).version == 1


@EACH_CALL
async def test_an_update_that_its_repetition_overtakes_makes_one_version(two: Two, before: int) -> None:
    async def update(catalog: Catalog) -> SecretInfo:
        return await catalog.update(two.name, VALUE, request=two.request)

    await two.theirs.create(two.name, VALUE)
    assert await update(two.overtaken_by(update, before=before)) == await update(two.theirs)
    assert (await two.theirs.get(two.name)).version == 2


@EACH_CALL
async def test_a_delete_that_its_repetition_overtakes_is_done_once(two: Two, before: int) -> None:
    async def delete(catalog: Catalog) -> None:
        await catalog.delete(two.name, request=two.request)

    await two.theirs.create(two.name, VALUE)
    await delete(two.overtaken_by(delete, before=before))
    with pytest.raises(NotFound):
        await two.theirs.get(two.name)
    assert (await two.theirs.create(two.name, VALUE)).version == 3


@EACH_CALL
async def test_what_came_after_the_repetition_is_not_undone(two: Two, before: int) -> None:
    async def create_and_delete(catalog: Catalog) -> None:
        await catalog.create(two.name, VALUE, request=two.request)
        await catalog.delete(two.name)

    ours = two.overtaken_by(create_and_delete, before=before)
    assert (await ours.create(two.name, VALUE, request=two.request)).version == 1
    with pytest.raises(NotFound):
        await two.theirs.get(two.name)


@EACH_CALL
async def test_of_two_requests_that_create_a_secret_one_is_refused(two: Two, before: int) -> None:
    async def create(catalog: Catalog) -> None:
        await catalog.create(two.name, VALUE, request=two.request)

    with pytest.raises(AlreadyExists):
        await two.overtaken_by(create, before=before).create(two.name, VALUE, request=f"{two.request}-ours")
    assert (await two.theirs.get(two.name)).version == 1


@EACH_CALL
async def test_two_requests_that_update_a_secret_make_two_versions(two: Two, before: int) -> None:
    async def update(catalog: Catalog) -> None:
        await catalog.update(two.name, VALUE, request=two.request)

    await two.theirs.create(two.name, VALUE)
    ours = two.overtaken_by(update, before=before)
    assert (await ours.update(two.name, VALUE, request=f"{two.request}-ours")).version == 3


@EACH_CALL
async def test_an_id_that_is_used_for_another_secret_meanwhile_is_refused(two: Two, before: int) -> None:
    async def create_other(catalog: Catalog) -> None:
        await catalog.create(two.other, VALUE, request=two.request)

    with pytest.raises(AlreadyExists, match="request id was used"):
        await two.overtaken_by(create_other, before=before).create(two.name, VALUE, request=two.request)
    with pytest.raises(NotFound):
        await two.theirs.get(two.name)


@EACH_CALL
async def test_a_secret_that_is_stored_while_the_keys_are_replaced_is_moved_too(two: Two, before: int) -> None:
    """An operator who counts no secret under the old key may remove it."""

    async def replace_keys(_: Catalog) -> None:
        await two.rewrapping.run(new_key=True)

    await two.overtaken_by(replace_keys, before=before).create(two.name, VALUE, request=two.request)
    left = await two.ours.under_other_keys(await two.keys.current_key_id(), after=None, limit=1000)
    assert two.name not in [info.name for info, _ in left]
