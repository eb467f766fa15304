"""The cache and secrets services, as the scheduler uses them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from flyteapi.cache.v1.cache_service_pb2 import (
    CacheEntry,
    CacheKey,
    ExtendRequest,
    LookupRequest,
    PutRequest,
    PutResponse,
    ReleaseRequest,
    ReserveRequest,
    ReserveResponse,
    WaitRequest,
    WaitResponse,
)
from flyteapi.cache.v1.cache_service_pb2_grpc import CacheServiceStub
from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.secrets.v1 import secrets_service_pb2 as secrets_api
from flyteapi.secrets.v1.secrets_service_pb2 import ResolveRequest, ResolveVersionsRequest
from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceStub
from flyteplane.rpc.client import translated_errors

if TYPE_CHECKING:
    import grpc

    from flyteapi.task.v1.task_spec_pb2 import SecretRequest
    from flyteplane.scheduler.application.ports import Bearer, RunKey

#: A cache that does not answer in this time counts as absent for the actions that asked.
CACHE_TIMEOUT_S: Final = 5.0
#: Reservations take some calls of the coordination store each.
RESERVATION_TIMEOUT_S: Final = 10.0
SECRETS_TIMEOUT_S: Final = 10.0


class CacheStub:
    """Implements `CacheClient` over gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = CacheServiceStub(channel)

    async def lookup(self, queries: Sequence[LookupRequest.Query]) -> Sequence[CacheEntry | None]:
        """See the port."""
        with translated_errors():
            response = await self._stub.Lookup(LookupRequest(queries=queries), timeout=CACHE_TIMEOUT_S)
        return [result.entry if result.HasField("entry") else None for result in response.results]

    async def put(self, items: Sequence[PutRequest.Item]) -> Sequence[PutResponse.Outcome.ValueType]:
        """See the port."""
        with translated_errors():
            return (await self._stub.Put(PutRequest(items=items), timeout=CACHE_TIMEOUT_S)).outcomes

    async def reserve(self, items: Sequence[ReserveRequest.Item], *, ttl_s: float) -> Sequence[ReserveResponse.Result]:
        """See the port."""
        request = ReserveRequest(items=items)
        request.ttl.FromMilliseconds(round(ttl_s * 1000))
        with translated_errors():
            return (await self._stub.Reserve(request, timeout=RESERVATION_TIMEOUT_S)).results

    async def extend(self, items: Sequence[ExtendRequest.Item]) -> Sequence[bool]:
        """See the port."""
        with translated_errors():
            return (await self._stub.Extend(ExtendRequest(items=items), timeout=RESERVATION_TIMEOUT_S)).extended

    async def release(self, items: Sequence[ReleaseRequest.Item]) -> None:
        """See the port."""
        with translated_errors():
            await self._stub.Release(ReleaseRequest(items=items), timeout=RESERVATION_TIMEOUT_S)

    async def wait(self, keys: Sequence[CacheKey]) -> AsyncIterator[WaitResponse]:
        """See the port."""
        with translated_errors():
            async for ready in self._stub.Wait(WaitRequest(keys=keys)):
                yield ready


class SecretsStub:
    """Implements `SecretsClient` over gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = SecretsServiceStub(channel)

    async def resolve(
        self, token: str, requests: Sequence[SecretRequest], *, bearer: Bearer
    ) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        """See the port."""
        asked = ResolveRequest(token=token, secrets=requests, bearer=_bearer(bearer))
        with translated_errors():
            response = await self._stub.Resolve(asked, timeout=SECRETS_TIMEOUT_S)
        env: dict[str, bytes] = {}
        files: dict[str, bytes] = {}
        for request, resolved in zip(requests, response.secrets, strict=True):
            if request.mount_path:
                group = f"{request.group}/" if request.group else ""
                files[f"{request.mount_path.rstrip('/')}/{group}{request.key}"] = resolved.value
            if request.env_var:
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


def _bearer(bearer: Bearer) -> secrets_api.Bearer:
    run, action, attempt, lease = bearer
    scope = Scope(project=run.project, domain=run.domain)
    return secrets_api.Bearer(scope=scope, run=run.name, action=action, attempt=attempt, lease=lease)
