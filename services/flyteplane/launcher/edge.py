"""Who may call over the listener for clients: identity, wired for one process.

Every process that clients connect to proves its callers itself. It asks admin, wherever that is, whose a credential is,
and remembers the answer for some seconds; the log of what was changed and refused goes the same way.
"""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flyteapi.admin.v1 import edge_service_pb2 as pb
from flyteapi.admin.v1.edge_service_pb2_grpc import EdgeServiceStub
from flyteapi.common.v1.identity_pb2 import Scope as ScopeMessage
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2 import GetPoolRequest
from flyteapi.reuse_pool.v1.reuse_pool_service_pb2_grpc import ReusePoolServiceStub
from flyteplane.foundation.errors import NotFound
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.identity.audit import AuditRecord
from flyteplane.identity.audit_log import AuditLog
from flyteplane.identity.callers import Caller, Grant, Role, Scope
from flyteplane.identity.interceptor import Edge, IdentityInterceptor
from flyteplane.identity.remembering import Known, RememberingAuthenticator
from flyteplane.launcher.rpc_services import request_readers
from flyteplane.rpc.client import translated_errors

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from flyteplane.launcher.services import Surroundings

_TIMEOUT_S: Final = 15.0
_LAST_WORDS_S: Final = 1.0
_UNIX: Final = "unix:"
_NOBODY_ELSE: Final = 0o077
#: The prefix of URIs of objects that clients reach through admin only.
_THROUGH_ADMIN: Final = "flyte-object://"


class PlatformEdge:
    """What guards the listener of one process."""

    def __init__(self, given: Surroundings) -> None:
        self._given = given
        self._admin = EdgeServiceStub(given.channels["admin"])
        self._audit = AuditLog(self._write, clock=given.clock)
        self._authenticator = RememberingAuthenticator(self._ask, revocations=given.revocations, clock=given.clock)

    async def start(self, stack: AsyncExitStack) -> None:
        """Write the audit log from now on; what waits when the process stops is written then."""
        stack.push_async_callback(self._write_the_rest)
        background = await stack.enter_async_context(
            BackgroundTasks("edge", on_failure=lambda _, error: self._given.fail(error))
        )
        background.start(self._audit.run(), name="audit")

    def guard(self, *, owner: Caller | None) -> IdentityInterceptor:
        """The interceptor. `owner` calls without a credential; None: nobody may."""
        edge = Edge(
            authenticator=self._authenticator,
            places=PlatformPlaces(self._given.channels["reuse_pool"], objects_root=self._given.objects_root),
            audit=self._audit,
            clock=self._given.clock,
            readers=request_readers(),
            owner=owner,
        )
        return IdentityInterceptor(edge)

    async def _write_the_rest(self) -> None:
        # Nobody may be left to write it to.
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._audit.flush()

    async def _ask(self, credential: str) -> Known:
        with translated_errors():
            found = await self._admin.Authenticate(pb.AuthenticateRequest(credential=credential), timeout=_TIMEOUT_S)
        grants = (Grant(Role(grant.role), Scope(grant.scope.project, grant.scope.domain)) for grant in found.grants)
        caller = Caller(subject=found.subject, grants=tuple(grants))
        return Known(caller, found.expires_at.ToMicroseconds() / 1e6 if found.HasField("expires_at") else None)

    async def _write(self, records: Sequence[AuditRecord]) -> None:
        with translated_errors():
            await self._admin.RecordCalls(pb.RecordCallsRequest(calls=map(_call, records)), timeout=_TIMEOUT_S)


class PlatformPlaces:
    """Implements `flyteplane.identity.places.Places`."""

    def __init__(self, pools: Any, *, objects_root: str) -> None:
        self._pools = ReusePoolServiceStub(pools)
        self._roots = (objects_root, _THROUGH_ADMIN)

    async def scope_of_pool(self, name: str) -> Scope | None:
        """See the port."""
        try:
            with translated_errors():
                found = await self._pools.GetPool(GetPoolRequest(pool=name), timeout=_TIMEOUT_S)
        except NotFound:
            return None
        return Scope(found.pool.scope.project, found.pool.scope.domain)

    def key_of_object(self, uri: str) -> str | None:
        """See the port."""
        return next((uri.removeprefix(root) for root in self._roots if uri.startswith(root)), None)


def local_owner() -> Caller:
    """The user who runs this process."""
    return Caller(subject=f"local:{getpass.getuser()}", grants=(Grant(Role.ADMIN),))


def is_private_socket(address: str) -> bool:
    """Whether the operating system lets nobody but the owner of this process connect there."""
    if not address.startswith(_UNIX):
        return False
    try:
        return not Path(address.removeprefix(_UNIX)).parent.stat().st_mode & _NOBODY_ELSE
    except OSError:
        return False


def _call(record: AuditRecord) -> pb.RecordCallsRequest.Call:
    call = pb.RecordCallsRequest.Call(
        subject=record.subject,
        method=record.method,
        target=record.target,
        status=record.status,
        scope=ScopeMessage(project=record.scope.project, domain=record.scope.domain),
    )
    call.time.FromMicroseconds(record.at_us)
    return call
