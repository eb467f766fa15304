"""The cache and secrets services, as the scheduler uses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from flyteapi.cache.v1.cache_service_pb2 import CacheEntry, CacheKey, LookupRequest, PutRequest
from flyteapi.cache.v1.cache_service_pb2_grpc import CacheServiceStub
from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.secrets.v1.secrets_service_pb2 import ResolveRequest, ResolveVersionsRequest
from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceStub
from flyteplane.rpc.client import translated_errors

if TYPE_CHECKING:
    import grpc

    from flyteapi.task.v1.task_spec_pb2 import SecretRequest
    from flyteplane.scheduler.application.ports import RunKey

#: A cache that does not answer in this time counts as absent for the actions that asked.
CACHE_TIMEOUT_S: Final = 5.0
SECRETS_TIMEOUT_S: Final = 10.0


class CacheStub:
    """Implements `CacheClient` over gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = CacheServiceStub(channel)

    async def lookup(self, queries: Sequence[tuple[CacheKey, float | None]]) -> Sequence[CacheEntry | None]:
        """See the port."""
        request = LookupRequest()
        for key, max_age_s in queries:
            query = request.queries.add(key=key)
            if max_age_s is not None:
                query.max_age.FromMilliseconds(round(max_age_s * 1000))
        with translated_errors():
            response = await self._stub.Lookup(request, timeout=CACHE_TIMEOUT_S)
        return [result.entry if result.HasField("entry") else None for result in response.results]

    async def put(self, entries: Sequence[tuple[CacheEntry, bool]]) -> None:
        """See the port."""
        request = PutRequest()
        for entry, overwrite in entries:
            request.items.add(entry=entry, overwrite=overwrite)
        with translated_errors():
            await self._stub.Put(request, timeout=CACHE_TIMEOUT_S)


class SecretsStub:
    """Implements `SecretsClient` over gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = SecretsServiceStub(channel)

    async def resolve(
        self, token: str, requests: Sequence[SecretRequest]
    ) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        """See the port."""
        with translated_errors():
            response = await self._stub.Resolve(
                ResolveRequest(token=token, secrets=requests), timeout=SECRETS_TIMEOUT_S
            )
        env: dict[str, bytes] = {}
        files: dict[str, bytes] = {}
        for request, resolved in zip(requests, response.secrets, strict=True):
            if request.mount_path:
                group = f"{request.group}/" if request.group else ""
                files[f"{request.mount_path.rstrip('/')}/{group}{request.key}"] = resolved.value
            else:
                env[request.env_var] = resolved.value
        return env, files

    async def versions(self, run: RunKey, requests: Sequence[SecretRequest]) -> Sequence[tuple[int, str]]:
        """See the port."""
        scope = Scope(project=run.project, domain=run.domain)
        with translated_errors():
            response = await self._stub.ResolveVersions(
                ResolveVersionsRequest(scope=scope, secrets=requests), timeout=SECRETS_TIMEOUT_S
            )
        return [(found.version, f"{found.scope.project}/{found.scope.domain}") for found in response.versions]
