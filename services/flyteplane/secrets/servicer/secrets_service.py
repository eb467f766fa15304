"""The secrets service's gRPC face: translates messages to use cases and back, and does nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteapi.secrets.v1 import secrets_service_pb2 as api
from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceServicer
from flyteplane.rpc.context import Context
from flyteplane.rpc.list_pages import page_size
from flyteplane.secrets.domain.values import parse_value
from flyteplane.secrets.servicer.messages import (
    access_message,
    bearer_of,
    deliveries_of,
    filter_of,
    info_message,
    name_of,
    number_of,
    page_token,
    position_of,
    scope_message,
    scope_of,
)

if TYPE_CHECKING:
    from flyteplane.secrets.application.catalog import Catalog
    from flyteplane.secrets.application.operation import Operation
    from flyteplane.secrets.application.resolution import Resolution


class SecretsServicer(SecretsServiceServicer):
    """Serves `SecretsService`."""

    def __init__(self, catalog: Catalog, resolution: Resolution, operation: Operation) -> None:
        self._catalog = catalog
        self._resolution = resolution
        self._operation = operation

    async def CreateSecret(self, request: api.CreateSecretRequest, context: Context) -> api.CreateSecretResponse:
        """See the proto."""
        info = await self._catalog.create(name_of(request), parse_value(request.value), request=request.request_id)
        return api.CreateSecretResponse(secret=info_message(info))

    async def UpdateSecret(self, request: api.UpdateSecretRequest, context: Context) -> api.UpdateSecretResponse:
        """See the proto."""
        info = await self._catalog.update(name_of(request), parse_value(request.value), request=request.request_id)
        return api.UpdateSecretResponse(secret=info_message(info))

    async def ListSecrets(self, request: api.ListSecretsRequest, context: Context) -> api.ListSecretsResponse:
        """See the proto."""
        scope = scope_of(request.scope) if request.HasField("scope") else None
        limit = page_size(request.page_size)
        infos = await self._catalog.page(scope=scope, after=position_of(request.page_token), limit=limit)
        # A full page may be the last one; the one after it is then empty.
        token = page_token(infos[-1].name) if len(infos) == limit else ""
        return api.ListSecretsResponse(secrets=map(info_message, infos), next_page_token=token)

    async def GetSecret(self, request: api.GetSecretRequest, context: Context) -> api.GetSecretResponse:
        """See the proto."""
        return api.GetSecretResponse(secret=info_message(await self._catalog.get(name_of(request))))

    async def DeleteSecret(self, request: api.DeleteSecretRequest, context: Context) -> api.DeleteSecretResponse:
        """See the proto."""
        await self._catalog.delete(name_of(request), request=request.request_id)
        return api.DeleteSecretResponse()

    async def Resolve(self, request: api.ResolveRequest, context: Context) -> api.ResolveResponse:
        """See the proto."""
        resolved = await self._resolution.resolve(
            request.token, deliveries_of(request.secrets), bearer=bearer_of(request.bearer)
        )
        response = api.ResolveResponse()
        for one in resolved:
            response.secrets.add(value=one.value.reveal(), version=one.version)
        return response

    async def ResolveVersions(
        self, request: api.ResolveVersionsRequest, context: Context
    ) -> api.ResolveVersionsResponse:
        """See the proto."""
        infos = await self._resolution.versions(scope_of(request.scope), deliveries_of(request.secrets))
        response = api.ResolveVersionsResponse()
        for info in infos:
            response.versions.add(version=info.version, scope=scope_message(info.name))
        return response

    async def ListAccesses(self, request: api.ListAccessesRequest, context: Context) -> api.ListAccessesResponse:
        """See the proto."""
        limit = page_size(request.page_size)
        entries = await self._operation.accesses(filter_of(request), before=number_of(request.page_token), limit=limit)
        token = str(entries[-1][0]) if len(entries) == limit else ""
        return api.ListAccessesResponse(accesses=(access_message(entry) for _, entry in entries), next_page_token=token)

    async def ListKeys(self, request: api.ListKeysRequest, context: Context) -> api.ListKeysResponse:
        """See the proto."""
        response = api.ListKeysResponse()
        for key in await self._operation.inventory.list():
            response.keys.add(id=key.id, current=key.current, available=key.available, secrets=key.secrets)
        return response

    async def RotateKeys(self, request: api.RotateKeysRequest, context: Context) -> api.RotateKeysResponse:
        """See the proto."""
        done = await self._operation.rewrapping.run(new_key=request.new_key)
        stuck = (name.words for name in done.stuck)
        return api.RotateKeysResponse(key_id=done.key_id, moved=done.done, stuck=stuck)
