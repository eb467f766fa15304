"""The proven caller on its way from the edge to the process that serves the call.

The edge drops what a client sends under this key, and the listener that reads it lets processes of the platform in and
nobody else.
"""

from __future__ import annotations

import json
from typing import Any

import grpc

from flyteplane.identity.callers import Caller, Grant, Role, Scope, called_by, current_caller
from flyteplane.rpc.forwarding import CALLER_METADATA
from flyteplane.rpc.handlers import Handler, answer_once, answer_stream, behaviour_of, with_behaviour
from flyteplane.rpc.interceptors import Continuation


def caller_metadata() -> tuple[tuple[str, bytes], ...]:
    """What a call is given that is passed on: its caller, if it has one."""
    caller = current_caller()
    if caller is None:
        return ()
    grants = [[int(grant.role), grant.scope.project, grant.scope.domain] for grant in caller.grants]
    return ((CALLER_METADATA, json.dumps([caller.subject, grants]).encode()),)


class PassedCallers(grpc.aio.ServerInterceptor):
    """For listeners of the platform's own processes: serves a call that was passed on for the caller that it names."""

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        handler: Handler | None = await continuation(handler_call_details)
        passed = dict(handler_call_details.invocation_metadata or ()).get(CALLER_METADATA)
        if handler is None or not isinstance(passed, bytes):
            return handler
        behaviour, caller = behaviour_of(handler), _caller(passed)

        async def once(request: Any, context: Any) -> Any:
            with called_by(caller):
                return await answer_once(behaviour, request, context)

        async def stream(request: Any, context: Any) -> None:
            with called_by(caller):
                await answer_stream(behaviour, request, context)

        return with_behaviour(handler, stream if handler.response_streaming else once)


def _caller(passed: bytes) -> Caller:
    subject, grants = json.loads(passed)
    made = (Grant(Role(role), Scope(project, domain)) for role, project, domain in grants)
    return Caller(subject=subject, grants=tuple(made))
