"""The secrets service's gRPC face: translates messages to use cases and back, and does nothing else."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.secrets.v1 import secrets_service_pb2 as api
from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceServicer
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.secrets.domain.audit import AuditEntry, AuditFilter, Subject
from flyteplane.secrets.domain.names import SecretName, SecretScope, parse_name, parse_scope
from flyteplane.secrets.domain.requests import Delivery
from flyteplane.secrets.domain.values import SecretInfo, parse_request_id, parse_value

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import SecretRequest
    from flyteplane.secrets.application.catalog import Catalog
    from flyteplane.secrets.application.operation import Operation
    from flyteplane.secrets.application.resolution import Resolution

Context = Any
_DEFAULT_PAGE: Final = 100
_SEPARATOR: Final = "/"
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


class SecretsServicer(SecretsServiceServicer):
    """Serves `SecretsService`."""

    def __init__(self, catalog: Catalog, resolution: Resolution, operation: Operation) -> None:
        self._catalog = catalog
        self._resolution = resolution
        self._operation = operation

    async def CreateSecret(self, request: api.CreateSecretRequest, context: Context) -> api.CreateSecretResponse:
        """See the proto."""
        info = await self._catalog.create(
            _name(request), parse_value(request.value), request=parse_request_id(request.request_id)
        )
        return api.CreateSecretResponse(secret=_message(info))

    async def UpdateSecret(self, request: api.UpdateSecretRequest, context: Context) -> api.UpdateSecretResponse:
        """See the proto."""
        info = await self._catalog.update(
            _name(request), parse_value(request.value), request=parse_request_id(request.request_id)
        )
        return api.UpdateSecretResponse(secret=_message(info))

    async def ListSecrets(self, request: api.ListSecretsRequest, context: Context) -> api.ListSecretsResponse:
        """See the proto."""
        scope = _scope(request.scope) if request.HasField("scope") else None
        limit = request.page_size or _DEFAULT_PAGE
        infos = await self._catalog.page(scope=scope, after=_position(request.page_token), limit=limit)
        # A full page may be the last one; the one after it is then empty.
        token = _token(infos[-1].name) if len(infos) == limit else ""
        return api.ListSecretsResponse(secrets=map(_message, infos), next_page_token=token)

    async def GetSecret(self, request: api.GetSecretRequest, context: Context) -> api.GetSecretResponse:
        """See the proto."""
        return api.GetSecretResponse(secret=_message(await self._catalog.get(_name(request))))

    async def DeleteSecret(self, request: api.DeleteSecretRequest, context: Context) -> api.DeleteSecretResponse:
        """See the proto."""
        await self._catalog.delete(_name(request))
        return api.DeleteSecretResponse()

    async def Resolve(self, request: api.ResolveRequest, context: Context) -> api.ResolveResponse:
        """See the proto."""
        resolved = await self._resolution.resolve(
            request.token, _deliveries(request.secrets), bearer=_subject(request.bearer)
        )
        response = api.ResolveResponse()
        for one in resolved:
            response.secrets.add(value=one.value.reveal(), version=one.version)
        return response

    async def ResolveVersions(
        self, request: api.ResolveVersionsRequest, context: Context
    ) -> api.ResolveVersionsResponse:
        """See the proto."""
        infos = await self._resolution.versions(_scope(request.scope), _deliveries(request.secrets))
        response = api.ResolveVersionsResponse()
        for info in infos:
            response.versions.add(version=info.version, scope=_scope_message(info.name))
        return response

    async def ListAccesses(self, request: api.ListAccessesRequest, context: Context) -> api.ListAccessesResponse:
        """See the proto."""
        limit = request.page_size or _DEFAULT_PAGE
        entries = await self._operation.accesses(_filter(request), before=_number(request.page_token), limit=limit)
        token = str(entries[-1][0]) if len(entries) == limit else ""
        return api.ListAccessesResponse(
            accesses=(_access_message(entry) for _, entry in entries), next_page_token=token
        )

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


class _Named(Protocol):
    """A request that names one secret."""

    @property
    def key(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def scope(self) -> Scope: ...


def _name(request: _Named) -> SecretName:
    return parse_name(_scope(request.scope), key=request.key, group=request.group)


def _scope(scope: Scope) -> SecretScope:
    return parse_scope(scope.project, scope.domain)


def _scope_message(name: SecretName) -> Scope:
    return Scope(project=name.project, domain=name.domain)


def _deliveries(requests: Sequence[SecretRequest]) -> list[Delivery]:
    return [Delivery(one.key, one.group, one.env_var, one.mount_path) for one in requests]


def _subject(bearer: api.Bearer) -> Subject:
    return Subject(
        project=bearer.scope.project,
        domain=bearer.scope.domain,
        run=bearer.run,
        action=bearer.action,
        attempt=bearer.attempt,
        lease=bearer.lease,
        pool=bearer.pool,
        replica=bearer.replica,
    )


def _filter(request: api.ListAccessesRequest) -> AuditFilter:
    scope = _scope(request.scope)
    secret = parse_name(scope, key=request.key, group=request.group).reference.id if request.key else ""
    return AuditFilter(secret=secret, project=scope.project, domain=scope.domain)


def _message(info: SecretInfo) -> api.SecretInfo:
    return api.SecretInfo(
        key=info.name.key,
        group=info.name.group,
        scope=_scope_message(info.name),
        version=info.version,
        created_at=_timestamp(info.created_at),
        updated_at=_timestamp(info.updated_at),
    )


def _access_message(entry: AuditEntry) -> api.Access:
    group, _, key = entry.secret.rpartition("/")
    subject = entry.subject
    bearer = api.Bearer(
        scope=Scope(project=subject.project, domain=subject.domain),
        run=subject.run,
        action=subject.action,
        attempt=subject.attempt,
        lease=subject.lease,
        pool=subject.pool,
        replica=subject.replica,
    )
    access = api.Access(
        at=_timestamp(entry.at), outcome=entry.outcome.value, key=key, group=group, version=entry.version, bearer=bearer
    )
    if entry.scope is not None:
        access.scope.CopyFrom(Scope(project=entry.scope.project, domain=entry.scope.domain))
    return access


def _timestamp(at: float) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromMilliseconds(round(at * 1000))
    return timestamp


def _token(name: SecretName) -> str:
    return base64.urlsafe_b64encode(_SEPARATOR.join(name).encode()).decode()


def _position(token: str) -> SecretName | None:
    if not token:
        return None
    try:
        return SecretName(*base64.urlsafe_b64decode(token.encode()).decode().split(_SEPARATOR))
    except (binascii.Error, ValueError, TypeError):
        raise _foreign_token() from None


def _number(token: str) -> int | None:
    if not token:
        return None
    if not _NUMBER.fullmatch(token):
        raise _foreign_token()
    return int(token)


def _foreign_token() -> InvalidArgument:
    return InvalidArgument(
        "the page token was not made by this service",
        field="page_token",
        mend="Start from the first page with an empty token.",
    )
