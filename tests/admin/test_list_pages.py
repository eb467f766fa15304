"""Lists that were whole once come a page at a time: nothing twice, nothing left out, and no page that is not theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from tests.admin.conftest import Admin
from tests.admin.refusals import refused
from tests.admin.test_triggers import deploy, trigger

from flyteapi.admin.v1 import identity_service_pb2 as identity_pb
from flyteapi.admin.v1 import project_service_pb2 as projects_pb
from flyteapi.admin.v1 import trigger_service_pb2 as triggers_pb
from flyteapi.common.v1.identity_pb2 import Scope
from flyteplane.admin.application.keys_and_roles import KeysAndRoles
from flyteplane.admin.application.pages import page_of
from flyteplane.admin.domain.api_key import ApiKey, StoredKey
from flyteplane.admin.domain.page_token import PageTokens
from flyteplane.admin.store.memory_identity import MemoryKeyStore, MemoryRoleStore
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.ids import SeededIds
from flyteplane.identity.callers import Caller, Grant, Role
from flyteplane.identity.callers import Scope as Place
from flyteplane.identity.settings import SubjectGrant

NAMES = ["a", "b", "c", "d", "e"]


class Listed:
    """One list of the platform."""

    def __init__(self, request: Any, *, rpc: Callable[[Admin], Any], names: Callable[[Any], list[str]]) -> None:
        self.request = request
        self.rpc = rpc
        self.names = names


LISTS = {
    "projects": Listed(
        projects_pb.ListProjectsRequest(include_archived=True),
        rpc=lambda admin: admin.projects.ListProjects,
        names=lambda page: [project.id for project in page.projects],
    ),
    "keys": Listed(
        identity_pb.ListApiKeysRequest(),
        rpc=lambda admin: admin.identity.ListApiKeys,
        names=lambda page: [key.name for key in page.keys],
    ),
    "grants": Listed(
        identity_pb.ListRoleGrantsRequest(),
        rpc=lambda admin: admin.identity.ListRoleGrants,
        names=lambda page: [one.subject.removeprefix("oidc:") for one in page.grants],
    ),
    "triggers": Listed(
        triggers_pb.ListTriggersRequest(project="flytesnacks", domain="development"),
        rpc=lambda admin: admin.triggers.ListTriggers,
        names=lambda page: [one.id.name for one in page.triggers],
    ),
}


@pytest.fixture
async def filled(admin: Admin) -> Admin:
    await deploy(admin, "1")
    grant = identity_pb.Grant(role=identity_pb.ROLE_VIEWER, scope=Scope(project="flytesnacks"))
    for name in ("d", "b", "e", "a", "c"):
        await admin.projects.CreateProject(projects_pb.CreateProjectRequest(project=projects_pb.Project(id=name)))
        await admin.identity.CreateApiKey(identity_pb.CreateApiKeyRequest(name=name, grants=[grant]))
        await admin.identity.GrantRole(identity_pb.GrantRoleRequest(subject=f"oidc:{name}", grant=grant))
        made = trigger()
        made.id.name = name
        await admin.triggers.PutTrigger(triggers_pb.PutTriggerRequest(trigger=made))
    return admin


async def test_every_list_comes_whole_in_pages_of_any_size(filled: Admin) -> None:
    for kind, listed in LISTS.items():
        wanted = [*NAMES, "flytesnacks"] if kind == "projects" else NAMES
        for size in (0, 1, 2, 5, 6, 1000):
            request, found = type(listed.request)(), []
            request.CopyFrom(listed.request)
            request.page_size = size
            while True:
                page = await listed.rpc(filled)(request)
                found += listed.names(page)
                assert len(listed.names(page)) <= (size or 1000)
                if not page.next_page_token:
                    break
                request.page_token = page.next_page_token
            assert found == wanted, (kind, size)


async def test_a_page_that_no_list_made_or_that_is_too_large_is_refused(filled: Admin) -> None:
    for kind, listed in LISTS.items():
        request = type(listed.request)()
        request.CopyFrom(listed.request)
        request.page_size = 1
        token = (await listed.rpc(filled)(request)).next_page_token
        other = next(one for name, one in LISTS.items() if name != kind)
        for bad in (f"{token}x", "made-up", "\u00fc"):
            request.page_token = bad
            with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
                await listed.rpc(filled)(request)
            assert refusal.reason == "PAGE_TOKEN", kind
        foreign = type(other.request)()
        foreign.CopyFrom(other.request)
        foreign.page_token = token
        with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
            await other.rpc(filled)(foreign)
        assert "another filter" in refusal.text
        request.page_token, request.page_size = "", 1001
        with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
            await listed.rpc(filled)(request)
        assert (refusal.reason, refusal.field) == ("PAGE_SIZE", "page_size")


async def test_pages_are_full_although_most_may_not_be_seen() -> None:
    keys, place = MemoryKeyStore(), {"mine": Place("mine"), "theirs": Place("theirs")}
    for number in range(50):
        scope = place["mine" if number % 10 == 0 else "theirs"]
        key = ApiKey(
            name=f"k{number:02}",
            grants=(Grant(Role.VIEWER, scope),),
            created_at_us=1,
            created_by="me",
            expires_at_us=2,
        )
        await keys.add(StoredKey(key, bytes(32)))
    from_file = tuple(SubjectGrant(subject=f"oidc:{name}", grant=Grant(Role.ADMIN, place["mine"])) for name in "abc")
    use_cases = KeysAndRoles(
        keys=keys,
        roles=MemoryRoleStore(),
        clock=ManualClock(),
        ids=SeededIds(),
        from_file=from_file,
        changed=lambda: None,
        tokens=PageTokens(bytes(32)),
        derivation_key=bytes(32),
    )
    caller = Caller(subject="oidc:me", grants=(Grant(Role.ADMIN, place["mine"]),))
    first = await use_cases.list_keys(caller, size=3, token="")
    assert [key.name for key in first.entries] == ["k00", "k10", "k20"]
    rest = await use_cases.list_keys(caller, size=3, token=first.next_token)
    assert ([key.name for key in rest.entries], rest.next_token) == (["k30", "k40"], "")
    grants = await use_cases.list_grants(caller, subject="", size=2, token="")
    assert [one.subject for one in grants.entries] == ["oidc:a", "oidc:b"]


async def test_a_list_that_ends_with_a_page_says_so() -> None:
    async def read(after: str, limit: int) -> list[str]:
        return [name for name in NAMES if name > after][:limit]

    async def page(size: int, token: str = "", seen: str = "abcde") -> tuple[list[str], str]:
        made = await page_of(
            read,
            seen=lambda name: name in seen,
            position=lambda name: name,
            size=size,
            token=token,
            tokens=PageTokens(bytes(32)),
            query="q",
        )
        return list(made.entries), made.next_token

    assert await page(5) == (NAMES, "")
    assert await page(2, seen="ab") == (["a", "b"], "")
    assert await page(1, seen="") == ([], "")
    found, token = await page(4)
    assert (found, bool(token)) == (["a", "b", "c", "d"], True)
    assert await page(4, token) == (["e"], "")
