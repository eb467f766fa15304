"""IdentityService: who calls, keys and roles, the audit log, and what the platform is."""

from dataclasses import dataclass

from flyteapi.admin.v1 import identity_service_pb2 as pb
from flyteapi.admin.v1.identity_service_pb2_grpc import IdentityServiceServicer
from flyteplane.admin.application.audit_trail import AuditTrail
from flyteplane.admin.application.keys_and_roles import KeysAndRoles
from flyteplane.admin.servicer.context import CallerOf, Context
from flyteplane.admin.servicer.identity_messages import (
    audit_filter,
    audit_page,
    grant_message,
    grant_of,
    key_message,
    subject_grant_messages,
)
from flyteplane.identity.callers import Caller, Grant, Role, current_caller


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformIdentity:
    """What the platform says of itself."""

    version: str
    mode: str
    """"embedded" or "cluster"."""
    console_url: str = ""


class IdentityServicer(IdentityServiceServicer):
    """See `identity_service.proto`."""

    def __init__(
        self, *, platform: PlatformIdentity, keys: KeysAndRoles, audit: AuditTrail, caller_of: CallerOf
    ) -> None:
        self._platform = platform
        self._keys = keys
        self._audit = audit
        self._caller_of = caller_of

    async def WhoAmI(self, request: pb.WhoAmIRequest, context: Context) -> pb.WhoAmIResponse:
        caller = self._caller(context)
        answer = pb.WhoAmIResponse(
            subject=caller.subject,
            grants=map(grant_message, caller.grants),
            version=self._platform.version,
            mode=self._platform.mode,
            console_url=self._platform.console_url,
        )
        answer.time.GetCurrentTime()
        return answer

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, context: Context) -> pb.CreateApiKeyResponse:
        key, secret = await self._keys.create_key(
            request.name,
            grants=tuple(grant_of(grant, field="grants") for grant in request.grants),
            valid_for_us=request.valid_for.ToMicroseconds() if request.HasField("valid_for") else None,
            by=self._caller_of(context),
            request_id=request.request_id,
        )
        return pb.CreateApiKeyResponse(key=key_message(key), secret=secret)

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, context: Context) -> pb.ListApiKeysResponse:
        page = await self._keys.list_keys(self._caller(context), size=request.page_size, token=request.page_token)
        return pb.ListApiKeysResponse(keys=map(key_message, page.entries), next_page_token=page.next_token)

    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, context: Context) -> pb.RevokeApiKeyResponse:
        await self._keys.revoke_key(request.name, self._caller(context))
        return pb.RevokeApiKeyResponse()

    async def GrantRole(self, request: pb.GrantRoleRequest, context: Context) -> pb.GrantRoleResponse:
        await self._keys.grant(request.subject, grant_of(request.grant, field="grant"))
        return pb.GrantRoleResponse()

    async def RevokeRole(self, request: pb.RevokeRoleRequest, context: Context) -> pb.RevokeRoleResponse:
        await self._keys.revoke(request.subject, grant_of(request.grant, field="grant"))
        return pb.RevokeRoleResponse()

    async def ListRoleGrants(self, request: pb.ListRoleGrantsRequest, context: Context) -> pb.ListRoleGrantsResponse:
        page = await self._keys.list_grants(
            self._caller(context), subject=request.subject, size=request.page_size, token=request.page_token
        )
        return pb.ListRoleGrantsResponse(grants=subject_grant_messages(page.entries), next_page_token=page.next_token)

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: Context
    ) -> pb.ListAuditEntriesResponse:
        return audit_page(
            await self._audit.page(audit_filter(request), size=request.page_size, token=request.page_token)
        )

    def _caller(self, context: Context) -> Caller:
        # What does not come over the edge comes from the platform itself, or from its owner.
        return current_caller() or Caller(subject=self._caller_of(context), grants=(Grant(Role.ADMIN),))
