"""Messages of IdentityService to values and back."""

from collections.abc import Iterable, Sequence

from flyteapi.admin.v1 import identity_service_pb2 as pb
from flyteapi.common.v1 import identity_pb2 as common
from flyteplane.admin.application.audit_trail import AuditPage
from flyteplane.admin.application.setting_rules import microseconds_of
from flyteplane.admin.domain.api_key import ApiKey
from flyteplane.admin.domain.audit import AuditFilter
from flyteplane.admin.servicer.run_messages import timestamp
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.identity.callers import Grant, Role, Scope
from flyteplane.identity.settings import SubjectGrant


def grant_of(message: pb.Grant, *, field: str) -> Grant:
    """A grant. Raises InvalidArgument for a role that there is not."""
    if message.role not in {int(role) for role in Role}:
        raise InvalidArgument(
            f"there is no role of the number {message.role}",
            reason="ROLE",
            field=f"{field}.role",
            mend=f"Use one of {', '.join(role.word for role in Role)}.",
        )
    return Grant(Role(message.role), Scope(message.scope.project, message.scope.domain))


def grant_message(grant: Grant) -> pb.Grant:
    """The message of a grant."""
    scope = common.Scope(project=grant.scope.project, domain=grant.scope.domain)
    return pb.Grant(role=pb.Role.ValueType(int(grant.role)), scope=scope)


def key_message(key: ApiKey) -> pb.ApiKey:
    """The message of a key."""
    return pb.ApiKey(
        name=key.name,
        grants=map(grant_message, key.grants),
        created_at=timestamp(key.created_at_us),
        expires_at=timestamp(key.expires_at_us),
        revoked_at=timestamp(key.revoked_at_us),
    )


def subject_grant_messages(found: Iterable[SubjectGrant]) -> Sequence[pb.ListRoleGrantsResponse.SubjectGrant]:
    """The messages of roles of subjects."""
    made = pb.ListRoleGrantsResponse.SubjectGrant
    return [made(subject=one.subject, grant=grant_message(one.grant)) for one in found]


def audit_filter(request: pb.ListAuditEntriesRequest) -> AuditFilter:
    """Which entries a request wants."""
    return AuditFilter(
        scope=Scope(request.scope.project, request.scope.domain),
        subject=request.subject,
        after_us=microseconds_of(request.after, field="after") if request.HasField("after") else None,
        before_us=microseconds_of(request.before, field="before") if request.HasField("before") else None,
    )


def audit_page(page: AuditPage) -> pb.ListAuditEntriesResponse:
    """The message of a page."""
    entry = pb.ListAuditEntriesResponse.AuditEntry
    entries = [
        entry(
            time=timestamp(record.at_us),
            subject=record.subject,
            method=record.method,
            target=record.target,
            status=record.status,
        )
        for record in page.records
    ]
    return pb.ListAuditEntriesResponse(entries=entries, next_page_token=page.next_token)
