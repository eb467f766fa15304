"""The audit trail, as operators read it over the gRPC API."""

from __future__ import annotations

import pytest
from tests.secrets.conftest import ON_BOTH, Platform, asked

from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.secrets.v1 import secrets_service_pb2 as api
from flyteplane.foundation.errors import InvalidArgument, PermissionDenied, Unauthenticated
from flyteplane.rpc.client import translated_errors


async def page(platform: Platform, **request: object) -> api.ListAccessesResponse:
    with translated_errors():
        return await platform.stub.ListAccesses(api.ListAccessesRequest(**request))  # type: ignore[arg-type]


async def outcomes(platform: Platform, **request: object) -> list[tuple[str, str, str]]:
    """Secret, outcome and project of all pages of two entries, the newest first."""
    found: list[tuple[str, str, str]] = []
    token = ""
    while True:
        answer = await page(platform, page_size=2, page_token=token, **request)
        found += [(one.key, one.outcome, one.bearer.scope.project) for one in answer.accesses]
        token = answer.next_page_token
        if not token:
            return found


@ON_BOTH
async def test_entries_tell_who_asked_for_what_and_what_came_of_it(platform: Platform) -> None:
    await platform.create("a", b"hunter2", scope=Scope())
    await platform.create("db/a", b"hunter2")
    await platform.resolve("a", project="q")
    await platform.resolve("db/a")
    with pytest.raises(PermissionDenied):
        await platform.resolve_with(platform.token("a"), asked("a", "b"))
    with pytest.raises(Unauthenticated):
        await platform.resolve_with("nonsense", asked("a"))
    everything = [
        ("", "bad_token", ""),
        ("b", "not_asked_for", "p"),
        ("a", "withheld", "p"),
        ("a", "given", "p"),
        ("a", "given", "q"),
    ]
    assert await outcomes(platform) == everything
    assert await outcomes(platform, key="a") == [everything[2], everything[4]]
    assert await outcomes(platform, key="a", group="db") == [everything[3]]
    assert await outcomes(platform, scope=Scope(project="q")) == [everything[4]]
    assert await outcomes(platform, scope=Scope(domain="other")) == []
    (newest,) = (await page(platform, key="a", group="db")).accesses
    assert (newest.version, newest.scope, newest.group) == (1, Scope(project="p", domain="d"), "db")
    assert (newest.bearer.run, newest.bearer.action, newest.bearer.attempt, newest.bearer.lease) == ("r", "a0", 1, 7)
    assert "hunter2" not in str(await page(platform))


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"page_size": 1_001}, "page_size"),
        ({"page_token": "x"}, "page_token"),
        ({"page_token": "9" * 40}, "page_token"),
        ({"group": "db"}, "group"),
        ({"key": "a/b"}, "key"),
        ({"scope": Scope(project="A")}, "scope.project"),
    ],
)
async def test_a_request_that_cannot_be_meant_is_refused(
    platform: Platform, request_: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await page(platform, **request_)
    assert caught.value.field == field
