"""What people do with secrets, over the gRPC API."""

from __future__ import annotations

import asyncio

import pytest
from tests.secrets.conftest import ON_BOTH, RUN_SCOPE, Platform

from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.secrets.v1 import secrets_service_pb2 as api
from flyteplane.foundation.errors import AlreadyExists, InvalidArgument, NotFound, PlatformError
from flyteplane.rpc.client import translated_errors

EVERY_SCOPE = (Scope(), Scope(domain="d"), Scope(project="p"), RUN_SCOPE)
MOST_BYTES = 1024 * 1024


async def names(platform: Platform, scope: Scope | None = None, *, page_size: int = 0) -> list[str]:
    """Names of all pages, as "project/domain/group/key"."""
    request = api.ListSecretsRequest(scope=scope, page_size=page_size)
    found: list[str] = []
    while True:
        with translated_errors():
            page = await platform.stub.ListSecrets(request)
        assert len(page.secrets) <= (page_size or 100)
        found += [f"{one.scope.project}/{one.scope.domain}/{one.group}/{one.key}" for one in page.secrets]
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def test_a_created_secret_shows_everything_but_its_value(platform: Platform) -> None:
    created = await platform.create("db/password", b"hunter2")
    assert (created.key, created.group, created.scope, created.version) == ("password", "db", RUN_SCOPE, 1)
    assert created.created_at.ToMilliseconds() == round(platform.clock.now() * 1000)
    assert await platform.get("db/password") == created


@ON_BOTH
async def test_the_same_name_in_other_scopes_and_groups_is_another_secret(platform: Platform) -> None:
    for scope in EVERY_SCOPE:
        assert (await platform.create("token", scope=scope)).version == 1
        assert (await platform.create("group/token", scope=scope)).version == 1


async def test_a_taken_name_is_refused_with_what_to_do(platform: Platform) -> None:
    await platform.create("token", b"first")
    with pytest.raises(AlreadyExists, match="project p and domain d") as caught:
        await platform.create("token", b"second")
    assert "flyte update secret token" in caught.value.mend
    assert await platform.resolve("token") == [(b"first", 1)]


@ON_BOTH
async def test_of_many_who_create_at_once_one_succeeds(platform: Platform) -> None:
    outcomes = await asyncio.gather(
        *(platform.create("token", b"%d" % number) for number in range(8)), return_exceptions=True
    )
    assert sum(isinstance(outcome, api.SecretInfo) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AlreadyExists) for outcome in outcomes) == 7


async def test_an_update_makes_a_new_version(platform: Platform) -> None:
    created = await platform.create("token", b"first")
    platform.clock.advance(5.0)
    updated = await platform.update("token", b"second")
    assert updated.version == 2
    assert updated.created_at == created.created_at
    assert updated.updated_at.ToMilliseconds() - created.updated_at.ToMilliseconds() == 5_000
    assert await platform.resolve("token") == [(b"second", 2)]


@ON_BOTH
async def test_updates_at_once_each_make_a_version_of_their_own_or_say_so(platform: Platform) -> None:
    await platform.create("token", b"first")
    outcomes = await asyncio.gather(
        *(platform.update("token", b"%d" % number) for number in range(4)), return_exceptions=True
    )
    versions = sorted(outcome.version for outcome in outcomes if isinstance(outcome, api.SecretInfo))
    assert versions == list(range(2, 2 + len(versions)))
    assert all(isinstance(outcome, api.SecretInfo | PlatformError) for outcome in outcomes)
    ((value, version),) = await platform.resolve("token")
    assert version == versions[-1]
    (last,) = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, api.SecretInfo) and outcome.version == version]  # fmt: skip  # noqa: E501
    assert value == b"%d" % last


async def test_what_does_not_exist_is_not_found(platform: Platform) -> None:
    await platform.create("token", scope=Scope(project="p"))
    for attempt in (platform.get("token"), platform.update("token", b"v"), platform.delete("token")):
        with pytest.raises(NotFound, match="'token' in project p and domain d") as caught:
            await attempt
        assert "flyte create secret token" in caught.value.mend


@ON_BOTH
async def test_a_deleted_secret_is_gone(platform: Platform) -> None:
    await platform.create("token", b"first")
    await platform.delete("token")
    assert await names(platform) == []
    for attempt in (platform.get("token"), platform.delete("token"), platform.resolve("token")):
        with pytest.raises(NotFound):
            await attempt


async def test_a_secret_that_is_created_again_never_has_an_old_version(platform: Platform) -> None:
    """A pool knows its secrets by version: a new value under an old version would be served from an old replica."""
    seen = {(await platform.create("token", b"0")).version}
    for number in range(3):
        await platform.delete("token")
        version = (await platform.create("token", b"%d" % number)).version
        assert version > max(seen)
        seen.add(version)
        assert await platform.resolve("token") == [(b"%d" % number, version)]


@ON_BOTH
async def test_secrets_are_listed_by_scope(platform: Platform) -> None:
    for scope in EVERY_SCOPE:
        await platform.create("token", scope=scope)
    await platform.create("db/token")
    assert await names(platform) == ["///token", "/d//token", "p///token", "p/d//token", "p/d/db/token"]
    assert await names(platform, Scope()) == ["///token"]
    assert await names(platform, Scope(project="p")) == ["p///token"]
    assert await names(platform, RUN_SCOPE) == ["p/d//token", "p/d/db/token"]
    assert await names(platform, Scope(project="other")) == []


@pytest.mark.parametrize("page_size", [1, 2, 5, 6, 1_000])
async def test_pages_miss_nothing_and_repeat_nothing(platform: Platform, page_size: int) -> None:
    expected = [f"p/d//key{number}" for number in range(5)]
    for number in range(5):
        await platform.create(f"key{number}")
    assert await names(platform, page_size=page_size) == expected


async def test_a_page_token_of_somebody_else_is_refused(platform: Platform) -> None:
    for token in ("x", "eA==", "é", "Zm9vL2Jhcg=="):
        with pytest.raises(InvalidArgument) as caught, translated_errors():
            await platform.stub.ListSecrets(api.ListSecretsRequest(page_token=token))
        assert caught.value.field == "page_token"


async def test_a_page_beyond_the_limit_is_refused(platform: Platform) -> None:
    with pytest.raises(InvalidArgument) as caught, translated_errors():
        await platform.stub.ListSecrets(api.ListSecretsRequest(page_size=1_001))
    assert (caught.value.field, caught.value.limit) == ("page_size", "1000 entries")


@pytest.mark.parametrize(
    "key", ["", "a b", "a/b", "../a", "..", "a\n", "é", "x" * 254, "x" * 10_000, "a\0", "a\u202eb", "\U0001f511"]
)
async def test_a_malformed_name_is_refused(platform: Platform, key: str) -> None:
    request = api.CreateSecretRequest(key=key, scope=RUN_SCOPE, value=b"v")
    with pytest.raises(InvalidArgument) as caught, translated_errors():
        await platform.stub.CreateSecret(request)
    assert caught.value.field == "key"
    request = api.CreateSecretRequest(key="key", group=key or "/", scope=RUN_SCOPE, value=b"v")
    with pytest.raises(InvalidArgument) as caught, translated_errors():
        await platform.stub.CreateSecret(request)
    assert caught.value.field == "group"


@pytest.mark.parametrize(
    ("scope", "field"),
    [
        (Scope(project="P"), "scope.project"),
        (Scope(project="a/b"), "scope.project"),
        (Scope(project="p", domain="-"), "scope.domain"),
        (Scope(domain="x" * 64), "scope.domain"),
    ],
)
async def test_a_malformed_scope_is_refused(platform: Platform, scope: Scope, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await platform.create("token", scope=scope)
    assert caught.value.field == field


@ON_BOTH
async def test_longest_names_and_largest_values_fit(platform: Platform) -> None:
    scope = Scope(project="p" * 63, domain="d" * 63)
    name, value = f"{'g' * 253}/{'k' * 253}", bytes(MOST_BYTES)
    await platform.create(name, value, scope=scope)
    assert await platform.resolve(name, project="p" * 63, domain="d" * 63) == [(value, 1)]


async def test_a_value_beyond_the_limit_is_refused(platform: Platform) -> None:
    await platform.create("token", b"first")
    for attempt in (platform.create("other", bytes(MOST_BYTES + 1)), platform.update("token", bytes(MOST_BYTES + 1))):
        with pytest.raises(InvalidArgument) as caught:
            await attempt
        assert (caught.value.field, caught.value.limit) == ("value", "1048576 bytes")
    assert await platform.resolve("token") == [(b"first", 1)]


async def test_an_empty_value_is_refused(platform: Platform) -> None:
    with pytest.raises(InvalidArgument, match="empty"):
        await platform.create("token", b"")


async def test_secrets_are_there_after_a_restart(platform: Platform) -> None:
    await platform.create("token", b"first")
    await platform.update("token", b"second")
    await platform.stop()
    await platform.start()
    assert await platform.resolve("token") == [(b"second", 2)]
