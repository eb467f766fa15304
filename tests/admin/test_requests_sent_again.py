"""A request whose answer was lost is sent again with its id: it is done once, and the answer is the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from tests.admin.conftest import Admin
from tests.admin.refusals import refused
from tests.admin.test_triggers import IDENTITY, deploy, trigger
from tests.support.interleaving import interrupted
from tests.support.postgres import database_url

from flyteapi.admin.v1 import identity_service_pb2 as identity_pb
from flyteapi.admin.v1 import project_service_pb2 as projects_pb
from flyteapi.admin.v1.trigger_service_pb2 import (
    DeleteTriggerRequest,
    GetTriggerRequest,
    PutTriggerRequest,
    SetTriggerActiveRequest,
)
from flyteplane.admin.application.identity_ports import KeyStore
from flyteplane.admin.application.keys_and_roles import KeysAndRoles
from flyteplane.admin.application.ports import ProjectStore, TriggerStore
from flyteplane.admin.domain.page_token import PageTokens
from flyteplane.admin.domain.project import Project, ProjectChange
from flyteplane.admin.domain.trigger import TriggerKey, TriggerState
from flyteplane.admin.store.api_keys import SqlKeyStore
from flyteplane.admin.store.preparation import MIGRATIONS
from flyteplane.admin.store.projects import SqlProjectStore
from flyteplane.admin.store.role_grants import SqlRoleStore
from flyteplane.admin.store.triggers import SqlTriggerStore
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import AlreadyExists, Unavailable
from flyteplane.foundation.ids import SeededIds
from flyteplane.foundation.repetition import REQUESTS_KEPT_S, mark_of
from flyteplane.identity.callers import Grant, Role
from flyteplane.records import Database, open_migrated

ID = "5f0c3b1e-0000-4000-8000-0123456789ab"
VIEWER = identity_pb.Grant(role=identity_pb.ROLE_VIEWER)
KEY = TriggerKey("p", "d", "e.f", "t")
STATE = TriggerState(active=True, anchor_us=1, fired_until_us=1, wake_at_us=None)


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_migrated(database_url(request.param, request=request, folder=tmp_path), package=MIGRATIONS)
    await SqlProjectStore(opened).create(Project(id="p", domains=("d",)))
    yield opened
    await opened.close()


async def test_a_project_is_made_once_and_answered_as_it_is_now(admin: Admin) -> None:
    request = projects_pb.CreateProjectRequest(project=projects_pb.Project(id="shop", labels={"a": "1", "b": "2"}))
    request.request_id = ID
    first = await admin.projects.CreateProject(request)
    assert (await admin.projects.CreateProject(request)) == first
    await admin.projects.UpdateProject(projects_pb.UpdateProjectRequest(id="shop", description="sells"))
    await admin.restart()
    assert (await admin.projects.CreateProject(request)).project.description == "sells"
    request.project.name = "another"
    with refused(grpc.StatusCode.ALREADY_EXISTS) as refusal:
        await admin.projects.CreateProject(request)
    assert (refusal.reason, refusal.field) == ("REQUEST_ID_REUSED", "request_id")
    request.request_id = "another-request"
    with refused(grpc.StatusCode.ALREADY_EXISTS) as refusal:
        await admin.projects.CreateProject(request)
    assert refusal.reason == "PROJECT_EXISTS"


async def test_a_late_change_of_a_project_leaves_alone_what_others_changed(admin: Admin) -> None:
    request = projects_pb.UpdateProjectRequest(id="flytesnacks", description="first", request_id=ID)
    await admin.projects.UpdateProject(request)
    await admin.projects.UpdateProject(projects_pb.UpdateProjectRequest(id="flytesnacks", description="second"))
    assert (await admin.projects.UpdateProject(request)).project.description == "second"


async def test_a_key_that_is_asked_for_again_is_the_same_key_and_is_kept_nowhere(admin: Admin) -> None:
    request = identity_pb.CreateApiKeyRequest(name="laptop", grants=[VIEWER], request_id=ID)
    first = await admin.identity.CreateApiKey(request)
    await admin.restart()
    assert (await admin.identity.CreateApiKey(request)) == first
    assert len((await admin.identity.ListApiKeys(identity_pb.ListApiKeysRequest())).keys) == 1
    other = identity_pb.CreateApiKeyRequest(name="laptop2", grants=[VIEWER], request_id=f"{ID}-2")
    assert (await admin.identity.CreateApiKey(other)).secret[-43:] != first.secret[-43:]
    await admin.close()
    stored = b"".join(path.read_bytes() for path in admin.folder.glob("admin.db*"))
    assert b"laptop" in stored
    for kept_nowhere in (first.secret[-43:], ID):
        assert kept_nowhere.encode() not in stored


async def test_a_key_is_not_derived_from_what_can_be_guessed_and_its_name_stays_one_keys(admin: Admin) -> None:
    request = identity_pb.CreateApiKeyRequest(name="laptop", grants=[VIEWER], request_id="short")
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        await admin.identity.CreateApiKey(request)
    assert refusal.field == "request_id"
    request.request_id = "x" * 65
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        await admin.identity.CreateApiKey(request)
    request.request_id = ID
    await admin.identity.CreateApiKey(request)
    for another in (f"{ID}-2", ""):
        request.request_id = another
        with refused(grpc.StatusCode.ALREADY_EXISTS) as refusal:
            await admin.identity.CreateApiKey(request)
        assert refusal.reason == "KEY_EXISTS"
    request.name, request.request_id = "desktop", ID
    with refused(grpc.StatusCode.ALREADY_EXISTS) as refusal:
        await admin.identity.CreateApiKey(request)
    assert refusal.reason == "REQUEST_ID_REUSED"


async def test_a_trigger_is_deleted_once_also_when_it_was_put_again_since(admin: Admin) -> None:
    await deploy(admin, "1")
    await admin.triggers.PutTrigger(PutTriggerRequest(trigger=trigger()))
    request = DeleteTriggerRequest(id=IDENTITY, request_id=ID)
    for _ in range(2):
        await admin.triggers.DeleteTrigger(request)
    with refused(grpc.StatusCode.NOT_FOUND):
        await admin.triggers.DeleteTrigger(DeleteTriggerRequest(id=IDENTITY, request_id="another"))
    await admin.triggers.PutTrigger(PutTriggerRequest(trigger=trigger("5 * * * *")))
    await admin.restart()
    await admin.triggers.DeleteTrigger(request)
    kept = await admin.triggers.GetTrigger(GetTriggerRequest(id=IDENTITY))
    assert kept.trigger.cron.expression == "5 * * * *"


async def test_a_late_change_of_a_trigger_leaves_alone_what_others_changed(admin: Admin) -> None:
    await deploy(admin, "1")
    first = PutTriggerRequest(trigger=trigger(), request_id=ID)
    await admin.triggers.PutTrigger(first)
    same = PutTriggerRequest(trigger=trigger(), request_id="changes nothing")
    await admin.triggers.PutTrigger(same)
    switch = SetTriggerActiveRequest(id=IDENTITY, active=True, request_id="switches on")
    await admin.triggers.SetTriggerActive(switch)
    await admin.triggers.PutTrigger(PutTriggerRequest(trigger=trigger("5 * * * *")))
    await admin.triggers.SetTriggerActive(SetTriggerActiveRequest(id=IDENTITY, active=False))
    for late in (first, same):
        answered = (await admin.triggers.PutTrigger(late)).trigger
        assert (answered.cron.expression, answered.active) == ("5 * * * *", False)
    assert not (await admin.triggers.SetTriggerActive(switch)).trigger.active


async def lost() -> None:
    raise Unavailable("the connection broke")


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
async def test_whenever_a_key_is_asked_for_beside_itself_there_is_one(database: Database, before: bool) -> None:
    store: KeyStore = SqlKeyStore(database)
    answers: list[str] = []

    def keys(port: KeyStore) -> KeysAndRoles:
        return KeysAndRoles(
            keys=port,
            roles=SqlRoleStore(database),
            clock=ManualClock(),
            ids=SeededIds(),
            from_file=(),
            changed=lambda: None,
            tokens=PageTokens(bytes(32)),
            derivation_key=bytes(32),
        )

    async def ask(port: KeyStore) -> None:
        made = await keys(port).create_key(
            "k", grants=(Grant(Role.VIEWER),), valid_for_us=None, by="oidc:alice", request_id=ID
        )
        answers.append(made[1])

    beside = {"before": 1} if before else {"after": 1}
    await ask(interrupted(store, lambda: ask(store), **beside))
    assert len(answers) == 2
    assert len(set(answers)) == 1
    with pytest.raises(Unavailable):
        await ask(interrupted(store, lost, after=1))
    await ask(store)
    assert answers[2] == answers[0]


async def test_marks_are_stored_with_what_they_stand_for_and_forgotten_after_a_day(database: Database) -> None:
    projects: ProjectStore = SqlProjectStore(database)
    triggers: TriggerStore = SqlTriggerStore(database)
    mark = mark_of("rpc", ID, by="me", content="this")
    other_content = mark_of("rpc", ID, by="me", content="that")
    assert mark is not None
    assert await triggers.put(KEY, content=b"one", state=STATE, known=None, request=mark, now_us=1) is not None
    assert await triggers.is_repeated(mark)
    assert await triggers.put(KEY, content=b"two", state=STATE, known=await triggers.get(KEY), request=mark) is None
    for refused_call in (
        lambda: triggers.delete(KEY, request=other_content),
        lambda: projects.create(Project(id="q"), request=other_content),
        lambda: projects.update("p", ProjectChange(name="n"), now_us=2, request=other_content),
    ):
        with pytest.raises(AlreadyExists):
            await refused_call()
    nothing = mark_of("rpc", "of nothing", by="me", content="this")
    assert not await triggers.delete(TriggerKey("p", "d", "e.f", "none"), request=nothing, now_us=2)
    assert nothing is not None
    assert not await triggers.is_repeated(nothing), "what was refused may be tried again"
    later = mark_of("rpc", "a day later", by="me", content="this")
    await projects.update("p", ProjectChange(name="n"), now_us=REQUESTS_KEPT_S * 1_000_000 + 2, request=later)
    assert not await triggers.is_repeated(mark)
    for by in ("me", "somebody else"):
        assert (mark_of("rpc", "a day later", by=by, content="this") == later) is (by == "me")
