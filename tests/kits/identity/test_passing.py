"""A proven caller goes on to the process that serves the call; a claimed one does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flyteapi.admin.v1.identity_service_pb2 import DESCRIPTOR, WhoAmIRequest, WhoAmIResponse
from flyteapi.admin.v1.identity_service_pb2_grpc import (
    IdentityServiceServicer,
    IdentityServiceStub,
    add_IdentityServiceServicer_to_server,
)
from flyteplane.identity.callers import Caller, Grant, Role, Scope, called_by, current_caller
from flyteplane.identity.passing import PassedCallers, caller_metadata
from flyteplane.rpc.client import open_channel
from flyteplane.rpc.forwarding import CALLER_METADATA, add_forwarding
from flyteplane.rpc.internal import internal_server
from flyteplane.rpc.server import RpcServer

ALICE = Caller(subject="oidc:alice", grants=(Grant(Role.RUNNER, Scope("a", "development")),))


class Asked(IdentityServiceServicer):
    """Says who it takes the caller for, and what came with the call."""

    async def WhoAmI(self, request: WhoAmIRequest, context: Any) -> WhoAmIResponse:
        caller = current_caller()
        keys = sorted(key for key, _ in context.invocation_metadata())
        return WhoAmIResponse(subject=repr(caller), version=" ".join(keys))


async def test_the_edge_says_who_calls_and_whatever_clients_claim_is_dropped(tmp_path: Path) -> None:
    inside = internal_server(f"unix:{tmp_path}/in", callers=(PassedCallers(),))
    add_IdentityServiceServicer_to_server(Asked(), inside.grpc_server)  # type: ignore[abstract]  # only what is called is there
    await inside.start()
    edge = RpcServer(f"unix:{tmp_path}/edge", reflection=False)
    (service,) = DESCRIPTOR.services_by_name.values()
    claimed = ((CALLER_METADATA, b'["oidc:root", [[4, "", ""]]]'), ("authorization", "Bearer k"), ("x-mine", "1"))
    proven: list[Caller] = []

    def added() -> Any:
        if not proven:
            return ()
        with called_by(proven[0]):
            return caller_metadata()

    async with open_channel(inside.address) as channel:
        add_forwarding(edge.grpc_server, service, channel=channel, added=added)
        await edge.start()
        async with open_channel(edge.address) as outside:
            said = await IdentityServiceStub(outside).WhoAmI(WhoAmIRequest(), metadata=claimed)
            assert said.subject == "None"
            assert "authorization" not in said.version
            assert "x-mine" in said.version
            proven.append(ALICE)
            said = await IdentityServiceStub(outside).WhoAmI(WhoAmIRequest(), metadata=claimed)
            assert said.subject == repr(ALICE)
    await edge.stop(0)
    await inside.stop(0)
