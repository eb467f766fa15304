"""EdgeService: what the processes that clients connect to ask of admin."""

from typing import Final

from flyteapi.admin.v1 import edge_service_pb2 as pb
from flyteapi.admin.v1.edge_service_pb2_grpc import EdgeServiceServicer
from flyteplane.admin.application.audit_trail import AuditTrail
from flyteplane.admin.application.authentication import Authentication
from flyteplane.admin.application.setting_rules import microseconds_of
from flyteplane.admin.servicer.context import Context
from flyteplane.admin.servicer.identity_messages import grant_message
from flyteplane.admin.servicer.run_messages import timestamp
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.identity.audit import AuditRecord
from flyteplane.identity.callers import Scope

#: Of one report of an edge.
_MOST_CALLS: Final = 1_000


class EdgeServicer(EdgeServiceServicer):
    """See `edge_service.proto`."""

    def __init__(self, *, authentication: Authentication, audit: AuditTrail) -> None:
        self._authentication = authentication
        self._audit = audit

    async def Authenticate(self, request: pb.AuthenticateRequest, context: Context) -> pb.AuthenticateResponse:
        known = await self._authentication.ask(request.credential)
        return pb.AuthenticateResponse(
            subject=known.caller.subject,
            grants=map(grant_message, known.caller.grants),
            expires_at=timestamp(None if known.expires_at is None else int(known.expires_at * 1e6)),
        )

    async def RecordCalls(self, request: pb.RecordCallsRequest, context: Context) -> pb.RecordCallsResponse:
        if len(request.calls) > _MOST_CALLS:
            raise InvalidArgument("there are too many calls", field="calls", limit=f"{_MOST_CALLS} calls")
        await self._audit.write([_record(call) for call in request.calls])
        return pb.RecordCallsResponse()


def _record(call: pb.RecordCallsRequest.Call) -> AuditRecord:
    return AuditRecord(
        at_us=microseconds_of(call.time, field="calls.time"),
        subject=call.subject,
        method=call.method,
        target=call.target,
        status=call.status,
        scope=Scope(call.scope.project, call.scope.domain),
    )
