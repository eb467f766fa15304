"""Clients prove who they are: a real endpoint over the network of this machine, a real identity provider."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from tests.support.oidc import AUDIENCE, Issuer

from flyteapi.admin.v1 import identity_service_pb2 as pb
from flyteapi.admin.v1.data_service_pb2 import CreateDownloadUrlRequest
from flyteapi.admin.v1.data_service_pb2_grpc import DataServiceStub
from flyteapi.admin.v1.identity_service_pb2_grpc import IdentityServiceStub
from flyteapi.admin.v1.project_service_pb2 import CreateProjectRequest, GetProjectRequest, ListProjectsRequest, Project
from flyteapi.admin.v1.project_service_pb2_grpc import ProjectServiceStub
from flyteapi.admin.v1.run_service_pb2 import (
    AbortRunRequest,
    CreateRunRequest,
    GetActionRequest,
    GetRunRequest,
    ListRunsRequest,
)
from flyteapi.admin.v1.run_service_pb2_grpc import RunServiceStub
from flyteapi.admin.v1.task_service_pb2 import GetTaskRequest
from flyteapi.admin.v1.task_service_pb2_grpc import TaskServiceStub
from flyteapi.admin.v1.trigger_service_pb2 import FireTriggerRequest, GetTriggerRequest, TriggerId
from flyteapi.admin.v1.trigger_service_pb2_grpc import TriggerServiceStub
from flyteapi.cache.v1.cache_service_pb2 import LookupRequest
from flyteapi.cache.v1.cache_service_pb2_grpc import CacheServiceStub
from flyteapi.common.v1.identity_pb2 import ActionId, RunId, Scope
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import GetPoolRequest
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2_grpc import ReusePoolServiceStub
from flyteapi.scheduler.v1.queue_service_pb2 import ListQueuesRequest, PutQueueRequest, Queue
from flyteapi.scheduler.v1.queue_service_pb2_grpc import QueueServiceStub
from flyteapi.secrets.v1.secrets_service_pb2 import GetSecretRequest
from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceStub
from flyteplane.identity.callers import Grant, Role
from flyteplane.identity.callers import Scope as GrantScope
from flyteplane.identity.settings import IdentitySettings, OidcSettings, SubjectGrant
from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.launcher.platform import Platform
from flyteplane.launcher.settings import PlatformSettings
from flyteplane.rpc.client import open_channel
from flyteplane.rpc.errors import errors_from_call

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOOTSTRAP = "bootstrap-key-of-the-operator-0123456789"


class Served:
    """A platform that listens on a port, and stubs with a credential of one's choice."""

    def __init__(self, platform: Platform, folder: Path, issuer: Issuer) -> None:
        self.folder, self.issuer, self.endpoint = folder, issuer, platform.endpoint
        self.owner_key = (folder / "platform/keys/owner.key").read_text().strip()

    @asynccontextmanager
    async def channel(self, credential: str | None = None, **metadata: str) -> AsyncIterator[grpc.aio.Channel]:
        pairs = {**({"authorization": f"Bearer {credential}"} if credential is not None else {}), **metadata}
        async with open_channel(self.endpoint, interceptors=[_Adding(pairs)]) as channel:
            yield channel

    async def whoami(self, credential: str | None, **metadata: str) -> pb.WhoAmIResponse:
        async with self.channel(credential, **metadata) as channel:
            return await IdentityServiceStub(channel).WhoAmI(pb.WhoAmIRequest())

    async def refusal(self, credential: str | None, **metadata: str) -> str:
        """The reason with which a credential is refused; the status is UNAUTHENTICATED."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.whoami(credential, **metadata)
        error = errors_from_call(caught.value)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED, error
        assert credential is None or credential not in str(error)
        return error.reason

    async def make_key(self, name: str, role: Role, *, by: str = "", valid_s: float = 3600.0, **scope: str) -> str:
        grant = pb.Grant(role=pb.Role.ValueType(int(role)), scope=Scope(**scope))
        valid_for = Duration()
        valid_for.FromTimedelta(timedelta(seconds=valid_s))
        async with self.channel(by or self.owner_key) as channel:
            asked = pb.CreateApiKeyRequest(name=name, grants=[grant], valid_for=valid_for)
            return (await IdentityServiceStub(channel).CreateApiKey(asked)).secret


class _Adding(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, pairs: dict[str, str]) -> None:
        self._pairs = tuple(pairs.items())

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details._replace(metadata=(*(details.metadata or ()), *self._pairs)), request)


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("edge")
    (folder / "bootstrap").write_text(f"{BOOTSTRAP}\n")
    identity = IdentitySettings(
        configured=True,
        bootstrap_key_file=folder / "bootstrap",
        oidc=(OidcSettings(issuer=issuer.url, audience=AUDIENCE),),
        grants=(
            SubjectGrant(subject="oidc:alice@example.org", grant=Grant(Role.VIEWER, GrantScope("flytesnacks"))),
            SubjectGrant(subject="group:data", grant=Grant(Role.RUNNER, GrantScope("flytesnacks", "development"))),
        ),
    )
    settings = PlatformSettings(
        data=folder / "platform", endpoint="127.0.0.1:0", operator=OperatorFile(identity=identity)
    )
    platform = await Platform.open(settings)
    try:
        yield Served(platform, folder, issuer)
    finally:
        await platform.close()


async def test_the_owner_is_known_by_a_file_that_only_the_owner_may_read(served: Served) -> None:
    me = await served.whoami(served.owner_key)
    assert (me.subject, [grant.role for grant in me.grants]) == ("key:owner", [pb.ROLE_ADMIN])
    assert (served.folder / "platform/keys/owner.key").stat().st_mode & 0o777 == 0o600
    assert (await served.whoami(BOOTSTRAP)).subject == "key:bootstrap"


async def test_every_bad_credential_is_refused_with_its_reason(served: Served, issuer: Issuer) -> None:
    key = await served.make_key("short", Role.VIEWER, valid_s=0.05)
    await asyncio.sleep(0.1)
    now = int(time.time())
    refusals = {
        None: "CREDENTIAL_MISSING",
        "x" * 9000: "CREDENTIAL_TOO_LARGE",
        "wrong": "KEY_UNKNOWN",
        key[:-1]: "KEY_UNKNOWN",
        key.replace("short", "other"): "KEY_UNKNOWN",
        key: "KEY_EXPIRED",
        "a.b.c": "TOKEN_MALFORMED",
        issuer.unsigned(): "TOKEN_ALGORITHM",
        issuer.signed_with_the_public_key(): "TOKEN_ALGORITHM",
        issuer.signed_by_a_stranger(): "TOKEN_SIGNATURE",
        issuer.token(aud="somebody-else"): "TOKEN_AUDIENCE",
        issuer.token(iss="https://elsewhere.example.org"): "TOKEN_ISSUER",
        issuer.token(exp=now - 60): "TOKEN_EXPIRED",
        issuer.token(exp=None): "TOKEN_MALFORMED",
        issuer.token(nbf=now + 600): "TOKEN_NOT_YET_VALID",
        issuer.token(headers={"kid": "unknown"}): "TOKEN_KEY",
        issuer.token(sub=""): "TOKEN_SUBJECT",
    }
    found = {credential: await served.refusal(credential) for credential in refusals}
    assert found == refusals
    assert await served.refusal(None, authorization="Basic abc") == "CREDENTIAL_MALFORMED"


async def test_a_token_of_the_provider_brings_the_roles_of_its_subject_and_groups(served: Served) -> None:
    me = await served.whoami(served.issuer.token(groups=["data", "others"]))
    assert me.subject == "oidc:alice@example.org"
    assert {(grant.role, grant.scope.project, grant.scope.domain) for grant in me.grants} == {
        (pb.ROLE_VIEWER, "flytesnacks", ""),
        (pb.ROLE_RUNNER, "flytesnacks", "development"),
    }
    stranger = await served.whoami(served.issuer.token("mallory@example.org"))
    assert not stranger.grants


async def test_the_clocks_may_be_apart_a_little(served: Served) -> None:
    now = int(time.time())
    assert (await served.whoami(served.issuer.token(exp=now - 10, iat=now + 10))).subject


async def test_a_revoked_key_is_refused_at_once_and_its_stream_ends(served: Served) -> None:
    key = await served.make_key("gone", Role.ADMIN)
    async with served.channel(key) as channel:
        from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(metadata=_bearer(key))
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        assert (await call.read()).list_services_response.service
        async with served.channel(served.owner_key) as owners:
            await IdentityServiceStub(owners).RevokeApiKey(pb.RevokeApiKeyRequest(name="gone"))
        assert await served.refusal(key) == "KEY_REVOKED"
        async with asyncio.timeout(30):
            assert await call.code() is grpc.StatusCode.UNAUTHENTICATED


def _bearer(credential: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {credential}"),)


async def test_a_viewer_cannot_submit_and_is_told_which_role_it_lacks(served: Served) -> None:
    key = await served.make_key("looks", Role.VIEWER, project="flytesnacks")
    async with served.channel(key) as channel:
        await RunServiceStub(channel).ListRuns(ListRunsRequest(project="flytesnacks", domain="development"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await RunServiceStub(channel).CreateRun(
                CreateRunRequest(run=RunId(project="flytesnacks", domain="development"))
            )
    error = errors_from_call(caught.value)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert (error.reason, error.metadata["role"]) == ("ROLE_MISSING", "runner")
    assert "runner" in error.message


async def test_what_lies_in_another_project_is_answered_as_if_it_did_not_exist(served: Served) -> None:
    async with served.channel(served.owner_key) as owners:
        await ProjectServiceStub(owners).CreateProject(CreateProjectRequest(project=Project(id="far-away")))
        missing = [await _said(method(owners), request) for method, request in _asked_of("nowhere", served)]
    key = await served.make_key("runs-a", Role.RUNNER, project="flytesnacks")
    async with served.channel(key) as channel:
        projects = await ProjectServiceStub(channel).ListProjects(ListProjectsRequest())
        assert [project.id for project in projects.projects] == ["flytesnacks"]
        hidden = [await _said(method(channel), request) for method, request in _asked_of("far-away", served)]
        assert [said.replace("far-away", "nowhere") for said in hidden] == missing
        assert {said.split()[0] for said in hidden} == {"NOT_FOUND"}
        runs = RunServiceStub(channel)
        assert "RUN_NOT_FOUND" in await _said(runs.GetRun, GetRunRequest(run=_run("flytesnacks")))
        assert "PERMISSION_DENIED" in await _said(runs.ListRuns, ListRunsRequest(project="far-away"))
        assert "PERMISSION_DENIED" in await _said(runs.ListRuns, ListRunsRequest())


def _asked_of(project: str, served: Served) -> list[tuple[Any, Any]]:
    """Rpcs that name a thing in a project, with requests for one that is not there."""
    uri = f"file://{served.folder}/platform/objects/inputs/{project}/development/{'0' * 64}/file"
    run, place = _run(project), {"project": project, "domain": "development"}
    action = ActionId(run=run, name="a0")
    trigger = TriggerId(**place, task_name="env.task", name="nightly")
    return [
        (lambda channel: ProjectServiceStub(channel).GetProject, GetProjectRequest(id=project)),
        (lambda channel: RunServiceStub(channel).GetRun, GetRunRequest(run=run)),
        (lambda channel: RunServiceStub(channel).AbortRun, AbortRunRequest(run=run)),
        (lambda channel: RunServiceStub(channel).GetAction, GetActionRequest(action=action)),
        (lambda channel: TaskServiceStub(channel).GetTask, GetTaskRequest(**place, name="env.task", version="1")),
        (lambda channel: TriggerServiceStub(channel).GetTrigger, GetTriggerRequest(id=trigger)),
        (lambda channel: TriggerServiceStub(channel).FireTrigger, FireTriggerRequest(id=trigger)),
        (lambda channel: SecretsServiceStub(channel).GetSecret, GetSecretRequest(key="K", scope=Scope(**place))),
        (lambda channel: ReusePoolServiceStub(channel).GetPool, GetPoolRequest(pool="0123456789")),
        (lambda channel: DataServiceStub(channel).CreateDownloadUrl, CreateDownloadUrlRequest(uri=uri)),
    ]


def _run(project: str) -> RunId:
    return RunId(project=project, domain="development", name="r1")


async def _said(method: Any, request: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await method(request)
    return f"{caught.value.code().name} {errors_from_call(caught.value)}"


async def test_keys_and_queues_of_the_platform_are_for_those_who_rule_all_of_it(served: Served) -> None:
    key = await served.make_key("rules-a", Role.ADMIN, project="flytesnacks")
    async with served.channel(key) as channel:
        queues, identity = QueueServiceStub(channel), IdentityServiceStub(channel)
        assert (await queues.ListQueues(ListQueuesRequest())) is not None
        assert "ROLE_MISSING" in await _said(queues.PutQueue, PutQueueRequest(queue=Queue(name="fast")))
        seen = {known.name for known in (await identity.ListApiKeys(pb.ListApiKeysRequest())).keys}
        assert "rules-a" in seen
        assert "gone" not in seen
        assert "KEY_NOT_FOUND" in await _said(identity.RevokeApiKey, pb.RevokeApiKeyRequest(name="gone"))
        everywhere = pb.Grant(role=pb.ROLE_VIEWER)
        escalating = pb.CreateApiKeyRequest(name="more", grants=[everywhere])
        assert "ROLE_MISSING" in await _said(identity.CreateApiKey, escalating)
        granting = pb.GrantRoleRequest(subject="oidc:eve@example.org", grant=everywhere)
        assert "ROLE_MISSING" in await _said(identity.GrantRole, granting)


async def test_what_parts_of_the_platform_say_to_each_other_is_for_no_client(served: Served) -> None:
    async with served.channel(served.owner_key) as channel:
        assert "RPC_NOT_FOR_CLIENTS" in await _said(CacheServiceStub(channel).Lookup, LookupRequest())


async def test_a_granted_role_holds_with_the_next_call_and_a_taken_one_no_longer(served: Served) -> None:
    token = served.issuer.token("bob@example.org")
    grant = pb.Grant(role=pb.ROLE_VIEWER, scope=Scope(project="flytesnacks"))
    async with served.channel(served.owner_key) as owners:
        identity = IdentityServiceStub(owners)
        assert not (await served.whoami(token)).grants
        await identity.GrantRole(pb.GrantRoleRequest(subject="oidc:bob@example.org", grant=grant))
        assert (await served.whoami(token)).grants == [grant]
        listed = await identity.ListRoleGrants(pb.ListRoleGrantsRequest(subject="oidc:bob@example.org"))
        assert [one.grant for one in listed.grants] == [grant]
        await identity.RevokeRole(pb.RevokeRoleRequest(subject="oidc:bob@example.org", grant=grant))
        assert not (await served.whoami(token)).grants


async def test_changes_and_refusals_are_in_the_audit_log(served: Served) -> None:
    key = await served.make_key("audited", Role.VIEWER, project="flytesnacks")
    async with served.channel(key) as channel:
        await _said(RunServiceStub(channel).AbortRun, AbortRunRequest(run=_run("flytesnacks")))
        await _said(RunServiceStub(channel).AbortRun, AbortRunRequest(run=_run("far-away")))
    await served.refusal("nonsense")
    async with served.channel(served.owner_key) as owners:
        identity = IdentityServiceStub(owners)
        entries: list[tuple[str, str, str, str]] = []
        async with asyncio.timeout(30):
            while [entry[:2] for entry in entries].count(("key:audited", "AbortRun")) < 2:
                page = await identity.ListAuditEntries(pb.ListAuditEntriesRequest(page_size=1000))
                entries = [(one.subject, one.method.split("/")[1], one.target, one.status) for one in page.entries]
                await asyncio.sleep(0.05)
        mine = await identity.ListAuditEntries(
            pb.ListAuditEntriesRequest(subject="key:audited", scope=Scope(project="far-away"))
        )
    assert ("key:owner", "CreateApiKey", "audited", "OK") in entries
    assert ("key:audited", "AbortRun", "flytesnacks/development/r1", "PERMISSION_DENIED") in entries
    assert ("nobody", "WhoAmI") in [entry[:2] for entry in entries]
    assert [entry.target for entry in mine.entries] == ["far-away/development/r1"]
    assert key not in str(entries)
