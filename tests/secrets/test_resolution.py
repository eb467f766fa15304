"""What attempts get and what they are refused, and that all of it is written down."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from tests.secrets.conftest import BEARER, ON_BOTH, RUN_SCOPE, Platform, asked

from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.secrets.v1 import secrets_service_pb2 as api
from flyteapi.task.v1.task_spec_pb2 import SecretRequest
from flyteplane.foundation.errors import InvalidArgument, NotFound, PermissionDenied, Unauthenticated
from flyteplane.rpc.client import translated_errors
from flyteplane.rpc.tokens import TokenMinter
from flyteplane.secrets.domain.audit import AuditEntry, Outcome, Subject
from flyteplane.secrets.domain.names import ORGANISATION, SecretScope
from flyteplane.secrets.settings import SecretsSettings

ORDER = (RUN_SCOPE, Scope(project="p"), Scope(domain="d"), Scope())
ATTEMPT = Subject(project="p", domain="d", run="r", action="a0", attempt=1, lease=7)


def outcomes(entries: list[AuditEntry]) -> list[tuple[str, Outcome]]:
    return [(entry.secret, entry.outcome) for entry in entries]


async def versions(platform: Platform, *names: str, scope: Scope = RUN_SCOPE) -> list[tuple[int, str]]:
    with translated_errors():
        request = api.ResolveVersionsRequest(scope=scope, secrets=asked(*names))
        found = (await platform.stub.ResolveVersions(request)).versions
    return [(one.version, f"{one.scope.project}/{one.scope.domain}") for one in found]


async def test_values_come_in_the_order_of_the_request(platform: Platform) -> None:
    for name in ("a", "b", "g/a"):
        await platform.create(name, name.encode())
    for order in itertools.permutations(("a", "b", "g/a")):
        assert [value for value, _ in await platform.resolve(*order)] == [name.encode() for name in order]


async def test_a_secret_is_given_as_a_variable_and_as_a_file(platform: Platform) -> None:
    await platform.create("a", b"value")
    twice = [SecretRequest(key="a", env_var="A"), SecretRequest(key="a", mount_path="/etc/flyte/secrets")]
    assert await platform.resolve_with(platform.token("a"), twice) == [(b"value", 1)] * 2


@ON_BOTH
async def test_the_most_specific_scope_wins(platform: Platform) -> None:
    for scope in reversed(ORDER):
        await platform.create("token", f"{scope.project}/{scope.domain}".encode(), scope=scope)
    for scope in ORDER:
        assert await platform.resolve("token") == [(f"{scope.project}/{scope.domain}".encode(), 1)]
        assert await versions(platform, "token") == [(1, f"{scope.project}/{scope.domain}")]
        await platform.delete("token", scope=scope)


async def test_no_run_sees_the_secrets_of_another_project_or_domain(platform: Platform) -> None:
    for scope in (Scope(project="q", domain="d"), Scope(project="p", domain="e"), Scope(project="q"), Scope(domain="e")):  # fmt: skip  # noqa: E501
        await platform.create("token", scope=scope)
    with pytest.raises(NotFound):
        await platform.resolve("token")
    with pytest.raises(NotFound):
        await versions(platform, "token")
    assert await platform.resolve("token", project="q") == [(b"value", 1)]


async def test_a_missing_secret_is_named_with_the_scopes_and_the_mend(platform: Platform) -> None:
    await platform.create("there")
    for attempt in (platform.resolve("there", "db/gone", "lost"), versions(platform, "there", "db/gone", "lost")):
        with pytest.raises(NotFound) as caught:
            await attempt
        text = caught.value.public_text
        assert "'db/gone', 'lost'" in text
        assert "there" not in text
        assert "project p and domain d; project p; domain d; the organisation" in text
        assert text.count("flyte create secret gone") == 1
        assert caught.value.metadata["secrets"] == "db/gone,lost"


async def test_a_secret_that_the_task_did_not_ask_for_is_refused(platform: Platform) -> None:
    await platform.create("a")
    await platform.create("b")
    for token in (platform.token("a"), platform.token("group/b"), platform.token()):
        with pytest.raises(PermissionDenied, match="'b'"):
            await platform.resolve_with(token, asked("b"))


async def test_whether_an_unasked_secret_exists_is_not_told(platform: Platform) -> None:
    await platform.create("there")
    texts = set()
    for name in ("there", "gone"):
        with pytest.raises(PermissionDenied) as caught:
            await platform.resolve_with(platform.token(), asked(name))
        texts.add(caught.value.public_text.replace(name, ""))
    assert len(texts) == 1


async def test_a_replica_gets_what_its_pool_asks_for(platform: Platform) -> None:
    await platform.create("a", b"value")
    token = platform.minter.replica_token(project="p", domain="d", pool="f" * 64, replica="r-1", secrets=["a"])
    bearer = api.Bearer(scope=RUN_SCOPE, pool="f" * 64, replica="r-1")
    assert await platform.resolve_with(token, asked("a"), bearer=bearer) == [(b"value", 1)]
    (entry,) = await platform.audited()
    assert entry.subject == Subject(project="p", domain="d", pool="f" * 64, replica="r-1")


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"])
async def test_what_is_no_token_is_refused_and_written_down(platform: Platform, token: str) -> None:
    await platform.create("a")
    with pytest.raises(Unauthenticated):
        await platform.resolve_with(token, asked("a"))
    (entry,) = await platform.audited()
    assert entry == AuditEntry(
        at=platform.clock.now(), subject=Subject(), secret="", outcome=Outcome.BAD_TOKEN, scope=None, version=0
    )


@pytest.mark.parametrize(
    "bearer",
    [
        api.Bearer(scope=RUN_SCOPE, run="r", action="a0", attempt=2, lease=7),
        api.Bearer(scope=RUN_SCOPE, run="r", action="a0", attempt=1, lease=8),
        api.Bearer(scope=RUN_SCOPE, run="r", action="a0-b", attempt=1, lease=7),
        api.Bearer(scope=RUN_SCOPE, run="other", action="a0", attempt=1, lease=7),
        api.Bearer(scope=Scope(project="q", domain="d"), run="r", action="a0", attempt=1, lease=7),
        api.Bearer(scope=Scope(project="p", domain="e"), run="r", action="a0", attempt=1, lease=7),
        api.Bearer(scope=RUN_SCOPE, pool="f" * 64, replica="r-1"),
        api.Bearer(),
    ],
    ids=["attempt", "lease", "action", "run", "project", "domain", "replica", "nobody"],
)
async def test_a_token_of_another_is_refused_and_written_down(platform: Platform, bearer: api.Bearer) -> None:
    await platform.create("a")
    await platform.create("a", scope=Scope(project="q"))
    with pytest.raises(PermissionDenied) as caught:
        await platform.resolve_with(platform.token("a"), asked("a"), bearer=bearer)
    assert caught.value.reason == "TOKEN_OF_ANOTHER"
    (entry,) = await platform.audited()
    assert (entry.subject, entry.secret, entry.outcome) == (ATTEMPT, "a", Outcome.OTHER_BEARER)


async def test_a_replicas_token_is_for_that_replica_only(platform: Platform) -> None:
    await platform.create("a")
    token = platform.minter.replica_token(project="p", domain="d", pool="f" * 64, replica="r-1", secrets=["a"])
    for bearer in (
        api.Bearer(scope=RUN_SCOPE, pool="f" * 64, replica="r-2"),
        api.Bearer(scope=RUN_SCOPE, pool="e" * 64, replica="r-1"),
        BEARER,
    ):
        with pytest.raises(PermissionDenied):
            await platform.resolve_with(token, asked("a"), bearer=bearer)
    assert outcomes(await platform.audited()) == [("a", Outcome.OTHER_BEARER)] * 3


async def test_a_forged_token_is_refused(platform: Platform) -> None:
    await platform.create("a")
    forger = TokenMinter(bytes(32), clock=platform.clock)
    token = forger.attempt_token(project="p", domain="d", run="r", action="a0", attempt=1, lease=7, secrets=["a"])
    with pytest.raises(Unauthenticated):
        await platform.resolve_with(token, asked("a"))


async def test_an_expired_token_is_refused_and_its_bearer_written_down(platform: Platform) -> None:
    await platform.create("a")
    token = platform.token("a", ttl_s=60.0)
    platform.clock.advance(60.0)
    with pytest.raises(Unauthenticated, match="expired"):
        await platform.resolve_with(token, asked("a"))
    (entry,) = await platform.audited()
    assert (entry.subject, entry.outcome) == (ATTEMPT, Outcome.BAD_TOKEN)


@pytest.mark.parametrize(
    "request_",
    [
        SecretRequest(key="a", env_var="PATH"),
        SecretRequest(key="a", env_var="LD_PRELOAD"),
        SecretRequest(key="a", env_var="FLYTE_ATTEMPT_TOKEN"),
        SecretRequest(key="a", env_var="lower"),
        SecretRequest(key="a", mount_path="/etc"),
        SecretRequest(key="a", mount_path="/etc/flyte/secrets/../../shadow"),
        SecretRequest(key="../a", env_var="A"),
        SecretRequest(key="", env_var="A"),
        SecretRequest(key="a", group="g/h", env_var="A"),
    ],
)
async def test_a_value_does_not_go_where_none_may(platform: Platform, request_: SecretRequest) -> None:
    await platform.create("a")
    token = platform.minter.attempt_token(
        project="p", domain="d", run="r", action="a0", attempt=1, lease=7, secrets=["a", "../a", "", "g/h/a"]
    )
    with pytest.raises(InvalidArgument):
        await platform.resolve_with(token, [request_])
    assert outcomes(await platform.audited()) == [("", Outcome.MALFORMED)]


async def test_more_secrets_than_a_task_may_have_are_refused(platform: Platform) -> None:
    with pytest.raises(InvalidArgument, match="limit is 100"):
        await platform.resolve(*(f"key{number}" for number in range(101)))


async def test_nothing_asked_nothing_given(platform: Platform) -> None:
    assert await platform.resolve() == []
    assert await versions(platform) == []
    assert await platform.audited() == []


@ON_BOTH
async def test_everything_that_was_given_is_written_down(platform: Platform) -> None:
    await platform.create("a")
    await platform.create("db/b", scope=Scope())
    await platform.update("a", b"second")
    platform.clock.advance(10.0)
    await platform.resolve("a", "db/b")
    first, second = await platform.audited()
    now = platform.clock.now()
    assert first == AuditEntry(
        at=now, subject=ATTEMPT, secret="a", outcome=Outcome.GIVEN, scope=SecretScope("p", "d"), version=2
    )
    assert second == AuditEntry(
        at=now, subject=ATTEMPT, secret="db/b", outcome=Outcome.GIVEN, scope=ORGANISATION, version=1
    )


@ON_BOTH
async def test_every_refusal_is_written_down(platform: Platform) -> None:
    await platform.create("a")
    with pytest.raises(NotFound):
        await platform.resolve("a", "gone")
    with pytest.raises(PermissionDenied):
        await platform.resolve_with(platform.token("a"), asked("a", "b"))
    entries = await platform.audited()
    assert outcomes(entries) == [
        ("a", Outcome.WITHHELD),
        ("gone", Outcome.MISSING),
        ("a", Outcome.WITHHELD),
        ("b", Outcome.NOT_ASKED_FOR),
    ]
    assert {entry.subject for entry in entries} == {ATTEMPT}


@ON_BOTH
async def test_the_trail_is_kept_as_long_as_the_operator_says(platform: Platform) -> None:
    await platform.stop()
    platform.settings = SecretsSettings(keep_audit_days=2)
    await platform.start()
    await platform.create("a")
    for _ in range(4):
        await platform.resolve("a")
        platform.clock.advance(24 * 3600)
    assert len(await platform.audited()) == 3
    await platform.stop()
    await platform.start()
    assert len(await platform.audited()) == 2


@ON_BOTH
async def test_nobody_gets_one_secret_from_before_an_update_and_one_from_after(platform: Platform) -> None:
    """Both are updated in turn, so a consistent answer is never more than one version apart, `a` first."""
    await platform.create("a", b"1")
    await platform.create("b", b"1")
    done = asyncio.Event()
    seen: list[tuple[int, int]] = []

    async def keep_reading() -> None:
        while not done.is_set():
            (_, a), (_, b) = await platform.resolve("a", "b")
            seen.append((a, b))

    reader = asyncio.create_task(keep_reading())
    for number in range(2, 20):
        await platform.update("a", b"%d" % number)
        await platform.update("b", b"%d" % number)
    done.set()
    await reader
    assert seen
    assert all(b <= a <= b + 1 for a, b in seen)
