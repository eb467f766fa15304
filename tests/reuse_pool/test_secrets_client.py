"""Secrets for replicas, asked for from a secrets service."""

from __future__ import annotations

from typing import Any

import pytest
from tests.reuse_pool.bench import declaration

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool
from flyteapi.secrets.v1.secrets_service_pb2 import ResolveRequest, ResolveResponse
from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceServicer, add_SecretsServiceServicer_to_server
from flyteapi.task.v1.task_spec_pb2 import SecretRequest
from flyteplane.foundation.errors import NotFound, PermissionDenied, Unauthenticated
from flyteplane.reuse_pool.clients.secrets_client import SecretsOverRpc
from flyteplane.rpc.inprocess import InProcessServer


class _Minter:
    def mint(self, declaration: DeclarePool, *, replica: str) -> str:
        return f"{replica} of {declaration.scope.project}"


class _Vault(SecretsServiceServicer):
    async def Resolve(self, request: ResolveRequest, context: Any) -> ResolveResponse:
        if request.token != "replica-1 of p":
            raise Unauthenticated("the token is not ours")
        if (request.bearer.replica, request.bearer.scope.project) != ("replica-1", "p") or not request.bearer.pool:
            raise PermissionDenied("the token is somebody else's")
        response = ResolveResponse()
        for secret in request.secrets:
            if secret.key == "unknown":
                raise NotFound("there is no secret unknown", reason="SECRET_NOT_FOUND")
            response.secrets.add(value=f"value of {secret.key}".encode(), version=1)
        return response


def client() -> SecretsOverRpc:
    server = InProcessServer()
    # Only the type checker minds that the other methods are missing.
    vault: Any = _Vault
    add_SecretsServiceServicer_to_server(vault(), server)
    return SecretsOverRpc(server.channel(), minter=_Minter())


async def test_values_come_by_variable_and_by_path() -> None:
    requests = [
        SecretRequest(key="token", env_var="TOKEN"),
        SecretRequest(key="cert", group="web", mount_path="/etc/flyte/secrets"),
        SecretRequest(key="plain", mount_path="/etc/flyte/secrets/"),
    ]
    values = await client().resolve(declaration(secrets=requests), replica="replica-1")
    assert values.env == {"TOKEN": b"value of token"}
    assert values.files == {
        "/etc/flyte/secrets/web/cert": b"value of cert",
        "/etc/flyte/secrets/plain": b"value of plain",
    }
    assert "value of" not in repr(values)


async def test_a_secret_that_is_missing_is_named() -> None:
    declared = declaration(secrets=[SecretRequest(key="unknown", env_var="TOKEN")])
    with pytest.raises(NotFound, match="unknown"):
        await client().resolve(declared, replica="replica-1")
