"""The secrets service in process, with tokens of its own and a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.secrets.v1 import secrets_service_pb2 as api
from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceStub
from flyteapi.task.v1.task_spec_pb2 import SecretRequest
from flyteplane.foundation.clock import ManualClock
from flyteplane.records import open_database
from flyteplane.rpc.client import translated_errors
from flyteplane.rpc.inprocess import InProcessServer
from flyteplane.rpc.tokens import TokenMinter, TokenVerifier, secret_id
from flyteplane.secrets.domain.audit import AuditEntry
from flyteplane.secrets.main import SecretsService, open_secrets
from flyteplane.secrets.settings import SecretsSettings
from flyteplane.secrets.store.sql_audit import SqlAudit

if TYPE_CHECKING:
    from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceAsyncStub

ON_BOTH = pytest.mark.parametrize("platform", ["sqlite", "postgres"], indirect=True)
TOKEN_KEY = bytes(range(32))
RUN_SCOPE = Scope(project="p", domain="d")


def bearer_of(project: str, domain: str) -> api.Bearer:
    """The attempt that the tokens of tests are for, in a run of that project and domain."""
    return api.Bearer(scope=Scope(project=project, domain=domain), run="r", action="a0", attempt=1, lease=7)


BEARER = bearer_of("p", "d")


def asked(*names: str) -> list[SecretRequest]:
    """Requests for `key` or `group/key`, each for the variable of its name."""
    split = [name.rpartition("/") for name in names]
    return [SecretRequest(key=key, group=group, env_var=variable(f"{group}_{key}")) for group, _, key in split]


def variable(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name).upper().lstrip("_")


class Platform:
    """What tests do with the service."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.folder = folder
        self.clock = clock
        self.keys = folder / "keys"
        self.keys.mkdir(mode=0o700, exist_ok=True)
        self.minter = TokenMinter(TOKEN_KEY, clock=clock)
        self.environment: dict[str, str] = {}
        self.settings = SecretsSettings()
        self.database_url = f"sqlite:///{folder}/secrets.db"
        self.service: SecretsService
        self.stub: SecretsServiceAsyncStub

    async def start(self) -> None:
        """Opens the service on whatever is in the folder."""
        self.service = await open_secrets(
            database_url=self.database_url,
            keys_folder=self.keys,
            verifier=TokenVerifier(TOKEN_KEY, clock=self.clock),
            clock=self.clock,
            environment=self.environment,
            settings=self.settings,
        )
        server = InProcessServer()
        self.service.add_to(server)
        self.stub = SecretsServiceStub(server.channel())

    async def stop(self) -> None:
        await self.service.close()

    async def create(
        self, name: str, value: bytes = b"value", *, scope: Scope = RUN_SCOPE, request_id: str = ""
    ) -> api.SecretInfo:
        group, _, key = name.rpartition("/")
        with translated_errors():
            request = api.CreateSecretRequest(key=key, group=group, scope=scope, value=value, request_id=request_id)
            return (await self.stub.CreateSecret(request)).secret

    async def update(
        self, name: str, value: bytes, *, scope: Scope = RUN_SCOPE, request_id: str = ""
    ) -> api.SecretInfo:
        group, _, key = name.rpartition("/")
        with translated_errors():
            request = api.UpdateSecretRequest(key=key, group=group, scope=scope, value=value, request_id=request_id)
            return (await self.stub.UpdateSecret(request)).secret

    async def get(self, name: str, *, scope: Scope = RUN_SCOPE) -> api.SecretInfo:
        group, _, key = name.rpartition("/")
        with translated_errors():
            return (await self.stub.GetSecret(api.GetSecretRequest(key=key, group=group, scope=scope))).secret

    async def delete(self, name: str, *, scope: Scope = RUN_SCOPE, request_id: str = "") -> None:
        group, _, key = name.rpartition("/")
        request = api.DeleteSecretRequest(key=key, group=group, scope=scope, request_id=request_id)
        with translated_errors():
            await self.stub.DeleteSecret(request)

    def token(self, *names: str, project: str = "p", domain: str = "d", ttl_s: float = 60.0) -> str:
        """The token of an attempt whose task asks for these secrets."""
        secrets = [secret_id(one.key, one.group) for one in asked(*names)]
        return self.minter.attempt_token(
            project=project, domain=domain, run="r", action="a0", attempt=1, lease=7, secrets=secrets, ttl_s=ttl_s
        )

    async def resolve_with(
        self, token: str, requests: Sequence[SecretRequest], *, bearer: api.Bearer = BEARER
    ) -> list[tuple[bytes, int]]:
        with translated_errors():
            response = await self.stub.Resolve(api.ResolveRequest(token=token, secrets=requests, bearer=bearer))
        return [(one.value, one.version) for one in response.secrets]

    async def resolve(self, *names: str, **run: Any) -> list[tuple[bytes, int]]:
        """What a task that asks for these secrets is given: values with their versions."""
        bearer = bearer_of(run.get("project", "p"), run.get("domain", "d"))
        return await self.resolve_with(self.token(*names, **run), asked(*names), bearer=bearer)

    async def audited(self) -> list[AuditEntry]:
        """The whole audit trail, oldest first."""
        database = await open_database(self.database_url)
        try:
            return [entry for _, entry in await SqlAudit(database).page(limit=1_000)][::-1]
        finally:
            await database.close()


@pytest.fixture
async def platform(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Platform]:
    """A platform on a file, or on a database server where a test asks for both with `ON_BOTH`."""
    platform = Platform(tmp_path, ManualClock())
    if getattr(request, "param", "sqlite") == "postgres":
        platform.database_url = f"{request.getfixturevalue('postgres_url')}&schema=secrets"
    await platform.start()
    yield platform
    await platform.stop()
