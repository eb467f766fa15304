"""Secrets for replicas from the secrets service."""

from typing import Final

import grpc

from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import DeclarePool
from flyteapi.secrets.v1.secrets_service_pb2 import Bearer, ResolveRequest
from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceStub
from flyteplane.reuse_pool.application.ports import SecretValues, TokenMinter
from flyteplane.rpc.client import translated_errors

_TIMEOUT_S: Final = 10.0


class SecretsOverRpc:
    """Implements `SecretsPort` with the secrets service behind a channel."""

    def __init__(self, channel: grpc.aio.Channel, *, minter: TokenMinter) -> None:
        self._stub = SecretsServiceStub(channel)
        self._minter = minter

    async def resolve(self, declaration: DeclarePool, *, replica: str) -> SecretValues:
        """See the port."""
        requests = declaration.template.secrets
        token = self._minter.mint(declaration, replica=replica)
        bearer = Bearer(scope=declaration.scope, pool=declaration.pool, replica=replica)
        with translated_errors():
            response = await self._stub.Resolve(
                ResolveRequest(token=token, secrets=requests, bearer=bearer), timeout=_TIMEOUT_S
            )
        env: dict[str, bytes] = {}
        files: dict[str, bytes] = {}
        for request, resolved in zip(requests, response.secrets, strict=True):
            if request.mount_path:
                parts = (request.mount_path.rstrip("/"), request.group, request.key)
                files["/".join(part for part in parts if part)] = resolved.value
            if request.env_var:
                env[request.env_var] = resolved.value
        return SecretValues(env=env, files=files)
