"""A gate before services that only a leader may serve.

    gate = Gate(["flyteapi.scheduler.v1.SchedulerService"])
    server.grpc_server.add_generic_rpc_handlers((gate,))
    ...
    gate.open(service.add_to, leads=leads)          # elected
    await gate.drain(0.5)                           # about to give the lead away: what was asked is still answered
    gate.shut()                                     # no longer

Closed, it answers UNAVAILABLE (NOT_LEADER): nothing was done, another may be asked. Open, every response passes only
while `leads()` holds, which is asked right before the response leaves: a process that was paused beyond its lease says
nothing of what it believed before.
Calls under way when the gate is shut end UNAVAILABLE (LEADER_CHANGED), and nobody can say what became of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from typing import Any, Final

import grpc

from flyteplane.foundation.errors import Unavailable
from flyteplane.rpc.handlers import Behaviour, Handler, answer_once, answer_stream, behaviour_of, with_behaviour

NOT_LEADER: Final = "NOT_LEADER"
LEADER_CHANGED: Final = "LEADER_CHANGED"
Leads = Callable[[], bool]


class Gate(grpc.GenericRpcHandler):
    """See the module.

    Args:
        services: full names of the rpc services behind it.
    """

    def __init__(self, services: Collection[str]) -> None:
        self.services = tuple(services)
        self._term: _Term | None = None

    def open(self, register: Callable[[Any], None], *, leads: Leads) -> None:
        """Serve what `register` adds to the server that it is given, until `shut`."""
        self.shut()
        term = _Term(leads)
        register(term)
        self._term = term

    def shut(self) -> None:
        """Refuse new calls and end those under way. May be called again."""
        term, self._term = self._term, None
        if term is not None:
            term.end()

    async def drain(self, within_s: float) -> None:
        """Refuse new calls, and give those with one answer some time to end, for as long as this process leads."""
        term, self._term = self._term, None
        if term is None:
            return
        try:
            await term.answered(within_s)
        finally:
            term.end()

    @property
    def is_open(self) -> bool:
        """Whether calls are served here."""
        return self._term is not None

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler of a call that has come in; None if it is none of ours."""
        method = handler_call_details.method
        if method.strip("/").partition("/")[0] not in self.services:
            return None
        if self._term is None:
            return grpc.stream_stream_rpc_method_handler(_refuse)
        return self._term.handler(method)


class OpenGate(grpc.GenericRpcHandler):
    """The same services on a listener that has another way to serve them: closed, it leaves the call to that."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler of a call that has come in; None if it is to be served in the other way."""
        return self._gate.service(handler_call_details) if self._gate.is_open else None


class _Term:
    """One time of leading. Takes servicers as a server does."""

    def __init__(self, leads: Leads) -> None:
        self._leads = leads
        self._handlers: dict[str, Handler] = {}
        self._running: dict[asyncio.Task[Any], bool] = {}
        """Calls under way, and whether they have one answer."""
        self._ended = False

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        """Called by generated code."""
        for name, handler in method_handlers.items():
            self._handlers[f"/{service_name}/{name}"] = self._guarded(handler)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Called by generated code, which registers the same methods by name as well."""

    def handler(self, method: str) -> Handler | None:
        """The guarded method; None if there is none."""
        return self._handlers.get(method)

    def end(self) -> None:
        """End the calls under way."""
        self._ended = True
        for task in tuple(self._running):
            task.cancel()

    async def answered(self, within_s: float) -> None:
        """Return once the calls with one answer have ended, or the time is over. Streams never end by themselves."""
        if once := [task for task, has_one_answer in self._running.items() if has_one_answer]:
            await asyncio.wait(once, timeout=within_s)

    def _guarded(self, handler: Handler) -> Handler:
        behaviour = behaviour_of(handler)
        guard = self._guard_stream if handler.response_streaming else self._guard_once
        return with_behaviour(handler, guard(behaviour))

    def _guard_once(self, behaviour: Behaviour) -> Behaviour:
        async def guarded(request: Any, context: Any) -> Any:
            answer = await self._run(answer_once(behaviour, request, context), has_one_answer=True)
            self.check()
            return answer

        return guarded

    def _guard_stream(self, behaviour: Behaviour) -> Behaviour:
        async def guarded(request: Any, context: Any) -> None:
            await self._run(answer_stream(behaviour, request, _Checked(context, self)), has_one_answer=False)
            self.check()

        return guarded

    def check(self) -> None:
        """Raise Unavailable unless this process leads, right now."""
        if self._ended or not self._leads():
            raise _leader_changed()

    async def _run(self, work: Coroutine[Any, Any, Any], *, has_one_answer: bool) -> Any:
        task = asyncio.get_running_loop().create_task(work)
        self._running[task] = has_one_answer
        try:
            return await task
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if self._ended and (own is None or not own.cancelling()):
                raise _leader_changed() from None
            raise
        except Exception:
            # What went wrong is nobody's business any more, and may be a consequence of the loss.
            self.check()
            raise
        finally:
            self._running.pop(task, None)


class _Checked:
    """A servicer's context whose writes pass the gate."""

    def __init__(self, context: Any, term: _Term) -> None:
        self._context = context
        self._term = term

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def write(self, message: Any) -> None:
        """Send a message if this process still leads."""
        self._term.check()
        await self._context.write(message)


def _leader_changed() -> Unavailable:
    return Unavailable("this process leads no longer", reason=LEADER_CHANGED, retry_after_s=1.0)


async def _refuse(_: Any, __: Any) -> None:
    raise Unavailable("this process does not lead", reason=NOT_LEADER, retry_after_s=1.0)
