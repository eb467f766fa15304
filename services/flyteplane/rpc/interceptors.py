"""The order of server interceptors, declared once, and the one that turns errors into statuses.

observation      sees every call and its final status: logs, metrics, traces
errors           turns whatever is raised further in into a status (this module)
identity         who calls, and may they: authentication, authorisation; deny by default
limits           how much: rates, sizes, backlogs
the servicer
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc

from flyteplane.foundation.errors import PlatformError
from flyteplane.foundation.ids import IdSource, SystemIds
from flyteplane.rpc.errors import ErrorStatus, status_of
from flyteplane.rpc.handlers import Behaviour, Handler, answer_once, answer_stream, behaviour_of, with_behaviour

Continuation: TypeAlias = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Interceptors:
    """A service's interceptors by their place; the error interceptor is always there."""

    observation: Sequence[grpc.aio.ServerInterceptor] = ()
    identity: Sequence[grpc.aio.ServerInterceptor] = ()
    limits: Sequence[grpc.aio.ServerInterceptor] = ()

    def in_order(self, *, ids: IdSource | None = None) -> tuple[grpc.aio.ServerInterceptor, ...]:
        """All of them, the outermost first."""
        return (*self.observation, ErrorInterceptor(ids=ids), *self.identity, *self.limits)

    def without_errors(self) -> tuple[grpc.aio.ServerInterceptor, ...]:
        """The same without the error interceptor, for the in-process channel, which applies the table itself."""
        return (*self.observation, *self.identity, *self.limits)


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Applies the table of `flyteplane.rpc.errors` to whatever servicers and inner interceptors raise."""

    def __init__(self, *, ids: IdSource | None = None) -> None:
        self._ids = ids or SystemIds()

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        method = handler_call_details.method
        try:
            handler: Handler | None = await continuation(handler_call_details)
        except PlatformError as error:
            return _refusing(status_of(error, method=method, ids=self._ids))
        if handler is None:
            return None
        behaviour = behaviour_of(handler)
        guard = self._guard_stream if handler.response_streaming else self._guard_once
        return with_behaviour(handler, guard(behaviour, method))

    def _guard_once(self, behaviour: Behaviour, method: str) -> Behaviour:
        async def guarded(request: Any, context: Any) -> Any:
            try:
                return await answer_once(behaviour, request, context)
            except Exception as error:
                await self._abort(error, context, method)

        return guarded

    def _guard_stream(self, behaviour: Behaviour, method: str) -> Behaviour:
        async def guarded(request: Any, context: Any) -> None:
            try:
                await answer_stream(behaviour, request, context)
            except Exception as error:
                await self._abort(error, context, method)

        return guarded

    async def _abort(self, error: Exception, context: Any, method: str) -> None:
        if isinstance(error, grpc.aio.AbortError) or has_own_status(context, error):
            raise error
        await context.abort(*status_of(error, method=method, ids=self._ids))


def has_own_status(context: Any, error: Exception) -> bool:
    """Whether the servicer set a status before it raised, as generated code does for methods that are not there."""
    return not isinstance(error, PlatformError) and bool(context.code())


def _refusing(status: ErrorStatus) -> Handler:
    async def refuse(_: Any, context: Any) -> None:
        await context.abort(*status)

    # The widest form serves calls of every form: nothing is read before the status is sent.
    return grpc.stream_stream_rpc_method_handler(refuse)
