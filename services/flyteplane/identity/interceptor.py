"""The interceptor `identity` of the listener that clients call.

In this order: is the rpc for clients at all; whose credential is it; what is the request about; may the caller do that
there. Only then is the servicer called, with the caller in `current_caller`. It guards what this process serves and
what it passes on alike, and a call that changes something or is refused leaves an entry in the audit log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import grpc

from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import InvalidArgument, PlatformError
from flyteplane.identity.audit import NOBODY, AuditRecord, AuditSink
from flyteplane.identity.callers import EVERYWHERE, Caller, Scope, called_by
from flyteplane.identity.credentials import Authenticator, bearer_of, missing
from flyteplane.identity.decisions import Demand, refusal, refusal_of_access
from flyteplane.identity.places import Located, Places, Target, locate
from flyteplane.identity.policies import POLICIES, Access, Policy
from flyteplane.identity.watching import serve_while_allowed
from flyteplane.rpc.errors import status_code_of
from flyteplane.rpc.handlers import Behaviour, Handler, answer_once, answer_stream, behaviour_of, with_behaviour
from flyteplane.rpc.interceptors import Continuation

#: From the full name of an rpc to the reader of its requests, for calls that are passed on as they came.
Readers = Mapping[str, Callable[[bytes], Any]]
_NOTHING: Final = Target(EVERYWHERE)
_NOWHERE: Final = Located(EVERYWHERE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What the interceptor works with."""

    authenticator: Authenticator
    places: Places
    audit: AuditSink
    clock: TimerClock
    readers: Readers
    owner: Caller | None = None
    """Who calls without a credential: the owner, where the operating system lets nobody else in. None: refused."""


@dataclass(slots=True)
class _Call:
    """What is known of one call so far."""

    method: str
    policy: Policy
    metadata: tuple[tuple[str, str | bytes], ...]
    caller: Caller | None = None
    message: Any = None
    target: Target = _NOTHING
    located: Located = _NOWHERE
    denied: bool = False


class IdentityInterceptor(grpc.aio.ServerInterceptor):
    """See the module. One for each listener."""

    def __init__(self, edge: Edge, *, policies: Mapping[str, Policy] = POLICIES) -> None:
        self._edge = edge
        self._policies = policies

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        handler: Handler | None = await continuation(handler_call_details)
        method = handler_call_details.method
        policy = self._policies.get(method)
        if handler is None or (policy is not None and policy.access is Access.OPEN):
            return handler
        guard = self._guard_stream if handler.response_streaming else self._guard_once
        return with_behaviour(handler, guard(handler, method, policy or _UNKNOWN))

    def _guard_once(self, handler: Handler, method: str, policy: Policy) -> Behaviour:
        behaviour, reader = behaviour_of(handler), self._reader(handler, method)

        async def guarded(request: Any, context: Any) -> Any:
            call = _Call(method, policy, _metadata(context))
            try:
                request = await self._admit(call, request, reader, streaming=handler.request_streaming)
                assert call.caller is not None
                with called_by(call.caller):
                    answer = await answer_once(behaviour, request, context)
            except BaseException as error:
                self._write_down(call, _status(error, context))
                raise
            if policy.changes:
                self._write_down(call, "OK")
            return answer

        return guarded

    def _guard_stream(self, handler: Handler, method: str, policy: Policy) -> Behaviour:
        behaviour, reader = behaviour_of(handler), self._reader(handler, method)

        async def guarded(request: Any, context: Any) -> None:
            call = _Call(method, policy, _metadata(context))
            try:
                request = await self._admit(call, request, reader, streaming=handler.request_streaming)
                assert call.caller is not None
                with called_by(call.caller):
                    await self._serve(call, request, behaviour, context)
            except BaseException as error:
                self._write_down(call, _status(error, context))
                raise

        return guarded

    async def _serve(self, call: _Call, request: Any, behaviour: Behaviour, context: Any) -> None:
        edge, serving = self._edge, answer_stream(behaviour, request, context)
        if call.caller is edge.owner:
            await serving
            return

        async def check() -> None:
            caller = await self._identify(call.metadata)
            self._decide(call, caller, [Demand(call.policy.role, call.located, call.policy.somewhere)])

        await serve_while_allowed(serving, check, changed=edge.authenticator.changed, clock=edge.clock)

    # --- admission ----------------------------------------------------------------------------------------------------

    async def _admit(self, call: _Call, request: Any, reader: Callable[[Any], Any], *, streaming: bool) -> Any:
        """Let a call in, or raise the refusal; returns the request, or the stream of requests, as it is to go on."""
        if (closed := refusal_of_access(call.policy, call.method)) is not None:
            call.denied = True
            raise closed
        call.caller = await self._identify(call.metadata)
        if call.policy.access is Access.AUTHENTICATED:
            return request
        if not streaming:
            await self._admit_message(call, reader(request))
            return request
        first = await anext(aiter(request), None)
        if first is None:
            raise InvalidArgument("the stream of requests is empty", reason="EMPTY_STREAM")
        await self._admit_message(call, reader(first))
        return _with_first(first, request)

    async def _identify(self, metadata: tuple[tuple[str, str | bytes], ...]) -> Caller:
        credential = bearer_of(metadata)
        if credential is not None:
            return await self._edge.authenticator.authenticate(credential)
        if self._edge.owner is None:
            raise missing()
        return self._edge.owner

    async def _admit_message(self, call: _Call, message: Any) -> None:
        assert call.caller is not None
        policy, places = call.policy, self._edge.places
        by_owner = call.caller is self._edge.owner
        if by_owner and not policy.changes:
            return
        call.message, call.target = message, policy.about(message)
        if by_owner:
            return
        located = await locate(call.target.place, places)
        if located is None and policy.absent is not None:
            raise policy.absent(message)
        call.located = located or _NOWHERE
        demands = [Demand(policy.role, call.located, policy.somewhere)]
        for role, place in policy.also(message):
            # An object of somebody else's store is for that store to protect.
            if (beside := await locate(place, places)) is not None:
                demands.append(Demand(role, beside))
        self._decide(call, call.caller, demands)

    def _decide(self, call: _Call, caller: Caller, demands: list[Demand]) -> None:
        if call.policy.access is Access.AUTHENTICATED:
            return
        refused = refusal(call.policy, caller, demands, method=call.method, request=call.message)
        if refused is not None:
            call.denied = True
            raise refused

    def _reader(self, handler: Handler, method: str) -> Callable[[Any], Any]:
        if handler.request_deserializer is not None:
            return _as_it_is
        read = self._edge.readers.get(method)
        return _as_it_is if read is None else _careful(read)

    def _write_down(self, call: _Call, status: str) -> None:
        refused = call.denied or status in ("UNAUTHENTICATED", "PERMISSION_DENIED")
        if not (refused or call.policy.changes):
            return
        place = call.target.place
        self._edge.audit.record(
            AuditRecord(
                at_us=int(self._edge.clock.now() * 1e6),
                subject=call.caller.subject if call.caller is not None else NOBODY,
                method=call.method.lstrip("/"),
                target=call.target.text,
                status="PERMISSION_DENIED" if call.denied else status,
                scope=place if isinstance(place, Scope) else call.located.scope,
            )
        )


#: A context gives the status as a number, or as the status that it was given.
_STATUS_NAMES: Final[Mapping[object, str]] = {
    **{code: code.name for code in grpc.StatusCode},
    **{code.value[0]: code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK},
}
#: What holds for an rpc that nobody thought of.
_UNKNOWN: Final = Policy(access=Access.INTERNAL)


def _metadata(context: Any) -> tuple[tuple[str, str | bytes], ...]:
    return tuple(context.invocation_metadata() or ())


def _status(error: BaseException, context: Any) -> str:
    if isinstance(error, PlatformError):
        return status_code_of(error).name
    if isinstance(error, asyncio.CancelledError):
        return "CANCELLED"
    return _STATUS_NAMES.get(context.code(), "INTERNAL")


def _as_it_is(message: Any) -> Any:
    return message


def _careful(read: Callable[[bytes], Any]) -> Callable[[Any], Any]:
    from google.protobuf.message import DecodeError

    def reader(content: bytes) -> Any:
        try:
            return read(content)
        except DecodeError:
            raise InvalidArgument("the request cannot be read", reason="REQUEST_UNREADABLE") from None

    return reader


async def _with_first(first: Any, others: Any) -> AsyncIterator[Any]:
    yield first
    async for message in others:
        yield message
