"""IdentityService: who calls, and what the platform is.

An embedded platform has one user, its owner: the operating system lets nobody else reach the socket. Keys, roles and
the audit log begin to mean something when the platform is shared; this build has none of them and says so.
"""

from dataclasses import dataclass
from typing import NoReturn

from flyteapi.admin.v1 import identity_service_pb2 as pb
from flyteapi.admin.v1.identity_service_pb2_grpc import IdentityServiceServicer
from flyteapi.common.v1.identity_pb2 import Scope
from flyteplane.admin.servicer.context import CallerOf, Context
from flyteplane.foundation.errors import Unimplemented


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformIdentity:
    """What the platform says of itself."""

    version: str
    mode: str
    """"embedded" or "cluster"."""
    console_url: str = ""


class IdentityServicer(IdentityServiceServicer):
    """See `identity_service.proto`."""

    def __init__(self, *, platform: PlatformIdentity, caller_of: CallerOf) -> None:
        self._platform = platform
        self._caller_of = caller_of

    async def WhoAmI(self, request: pb.WhoAmIRequest, context: Context) -> pb.WhoAmIResponse:
        # Whoever reaches an embedded platform owns it.
        owner = pb.Grant(role=pb.ROLE_ADMIN, scope=Scope())
        return pb.WhoAmIResponse(
            subject=self._caller_of(context),
            grants=[owner],
            version=self._platform.version,
            mode=self._platform.mode,
            console_url=self._platform.console_url,
        )

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, context: Context) -> pb.CreateApiKeyResponse:
        self._refuse("API keys")

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, context: Context) -> pb.ListApiKeysResponse:
        self._refuse("API keys")

    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, context: Context) -> pb.RevokeApiKeyResponse:
        self._refuse("API keys")

    async def GrantRole(self, request: pb.GrantRoleRequest, context: Context) -> pb.GrantRoleResponse:
        self._refuse("roles")

    async def RevokeRole(self, request: pb.RevokeRoleRequest, context: Context) -> pb.RevokeRoleResponse:
        self._refuse("roles")

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: Context
    ) -> pb.ListAuditEntriesResponse:
        self._refuse("an audit log")

    def _refuse(self, what: str) -> NoReturn:
        raise Unimplemented(
            f"this platform ({self._platform.mode}) has no {what.removeprefix('an ')}: its only user is its owner",
            reason="SINGLE_USER_PLATFORM",
            mend="Who may connect is decided by the permissions of the platform's folder.",
        )
