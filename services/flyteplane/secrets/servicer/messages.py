"""Between messages of the secrets service and values of its domain."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.secrets.v1 import secrets_service_pb2 as api
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.secrets.domain.audit import AuditEntry, AuditFilter, Subject
from flyteplane.secrets.domain.names import SecretName, SecretScope, parse_name, parse_scope
from flyteplane.secrets.domain.requests import Delivery
from flyteplane.secrets.domain.values import SecretInfo

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import SecretRequest

_SEPARATOR: Final = "/"
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


class Named(Protocol):
    """A request that names one secret."""

    @property
    def key(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def scope(self) -> Scope: ...


def name_of(request: Named) -> SecretName:
    """The secret that a request names. Raises InvalidArgument."""
    return parse_name(scope_of(request.scope), key=request.key, group=request.group)


def scope_of(scope: Scope) -> SecretScope:
    """A scope; none of its parts means the organisation. Raises InvalidArgument."""
    return parse_scope(scope.project, scope.domain)


def scope_message(name: SecretName) -> Scope:
    """The scope of a secret."""
    return Scope(project=name.project, domain=name.domain)


def deliveries_of(requests: Sequence[SecretRequest]) -> list[Delivery]:
    """What an attempt asks for, not checked yet."""
    return [Delivery(one.key, one.group, one.env_var, one.mount_path) for one in requests]


def bearer_of(bearer: api.Bearer) -> Subject:
    """Whom values are for."""
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


def filter_of(request: api.ListAccessesRequest) -> AuditFilter:
    """Which entries of the audit trail to show. Raises InvalidArgument."""
    scope = scope_of(request.scope)
    if request.group and not request.key:
        raise InvalidArgument("a group without a key", field="group", mend="Name the key as well, or neither of them.")
    secret = parse_name(scope, key=request.key, group=request.group).reference.id if request.key else ""
    return AuditFilter(secret=secret, project=scope.project, domain=scope.domain)


def info_message(info: SecretInfo) -> api.SecretInfo:
    """What people may see of a secret."""
    return api.SecretInfo(
        key=info.name.key,
        group=info.name.group,
        scope=scope_message(info.name),
        version=info.version,
        created_at=_timestamp(info.created_at),
        updated_at=_timestamp(info.updated_at),
    )


def access_message(entry: AuditEntry) -> api.Access:
    """An entry of the audit trail."""
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


def page_token(name: SecretName) -> str:
    """Where the page behind a secret begins."""
    return base64.urlsafe_b64encode(_SEPARATOR.join(name).encode()).decode()


def position_of(token: str) -> SecretName | None:
    """The secret that a page begins behind; None for the first page. Raises InvalidArgument."""
    if not token:
        return None
    try:
        return SecretName(*base64.urlsafe_b64decode(token.encode()).decode().split(_SEPARATOR))
    except (binascii.Error, ValueError, TypeError):
        raise _foreign_token() from None


def number_of(token: str) -> int | None:
    """The entry that a page of the audit trail begins behind; None for the first. Raises InvalidArgument."""
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
