"""The conversation with the scheduler or the reuse pool: one stream after the other, for as long as there is work.

A stream is given up when it ends, and when a heartbeat on it stays without an answer; the next scheduler is tried then,
after a short, jittered pause. What the broken stream may have lost is said again, see `Outbox`. Nothing is ever written
once contact has lapsed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from flyte.runner.contact import Contact
from flyte.runner.pod.endpoints import Endpoints
from flyte.runner.pod.outbox import Outbox
from flyteapi.scheduler.v1.worker_service_pb2 import Heartbeat, Hello, SessionRequest, WorkerOrder, WorkerReport

if TYPE_CHECKING:
    import grpc
else:
    from flyte.runner.pod.late_grpc import grpc

HEARTBEAT_S: Final = 2.0
"""Between two heartbeats, unless the contact time asks for more of them."""
_HEARTBEATS_PER_CONTACT: Final = 6
"""So that several may be lost on their way before the agent has to give up."""
_SILENCE_PER_CONTACT: Final = 3
"""A stream that is silent for the contact time divided by this is taken for dead, while there is time for another."""
_FIRST_PAUSE_S: Final = 0.05
"""Between tries to open a stream, doubled each time up to the longest."""
_LONGEST_PAUSE_S: Final = 2.0
_REFUSALS: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED", "FAILED_PRECONDITION", "INVALID_ARGUMENT"})
_TRIES_BEFORE_WORDS: Final = 8
"""After so many in a row the log of the pod says that nobody can be spoken to."""


class SessionRefused(Exception):
    """The scheduler does not speak to this worker, and no other will."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(f"{code.name}: {text}")
        self.code = code


@dataclass(frozen=True, slots=True)
class OtherSide:
    """Whom a session speaks to. The messages are the same whoever it is."""

    open: Callable[[grpc.aio.Channel], Any]
    """Begins the call that carries them."""
    batch: Callable[[Sequence[WorkerReport]], Any]
    """Makes one message of reports."""


def _open_session(channel: grpc.aio.Channel) -> Any:
    from flyteapi.scheduler.v1.worker_service_pb2_grpc import WorkerServiceStub

    return WorkerServiceStub(channel).Session()


SCHEDULER: Final = OtherSide(open=_open_session, batch=lambda reports: SessionRequest(reports=reports))


class _StreamLost(Exception):
    """The stream has ended or says nothing any more."""


class Session:
    """Speaks to whoever leads.

    Args:
        other: who answers at the endpoints.
        hello: what to say first on each stream.
        received: takes orders; on the loop.
        lapsed: ends everything; called instead of writing anything when contact has lapsed. Does not return.
        changed: called when `connected` has changed, and when reports have arrived.
        trouble: told once why nobody can be spoken to, if that lasts.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        *,
        other: OtherSide = SCHEDULER,
        outbox: Outbox,
        contact: Contact,
        rng: random.Random,
        hello: Callable[[], Hello],
        resident_bytes: Callable[[], int],
        received: Callable[[Sequence[WorkerOrder]], None],
        lapsed: Callable[[], NoReturn],
        changed: Callable[[], None],
        trouble: Callable[[str], None] = lambda words: None,
    ) -> None:
        self._endpoints = endpoints
        self._other = other
        self._outbox = outbox
        self._contact = contact
        self._rng = rng
        self._hello = hello
        self._resident_bytes = resident_bytes
        self._received = received
        self._lapsed = lapsed
        self._changed = changed
        self._trouble = trouble
        self._heartbeat_s = min(HEARTBEAT_S, contact.contact_s / _HEARTBEATS_PER_CONTACT)
        self._silence_s = contact.contact_s / _SILENCE_PER_CONTACT
        self._sequence = 0
        self._unanswered: dict[int, float] = {}
        self.connected = False
        """Whether a scheduler that leads listens."""
        self._hurries = False
        self.heard: asyncio.Event = asyncio.Event()
        """Set once anything was heard from one."""

    def hurry(self) -> None:
        """From now on it is learned at once what has arrived: nothing else is waited for."""
        self._hurries = True
        self._outbox.changed.set()

    async def run(self) -> NoReturn:
        """Speaks until it is cancelled. Raises SessionRefused."""
        fruitless = 0
        while True:
            address = self._endpoints.current
            try:
                await self._converse(address)
            except (grpc.aio.AioRpcError, _StreamLost, TimeoutError, asyncio.InvalidStateError) as error:
                _raise_if_refused(error)
                fruitless = 0 if self.connected else fruitless + 1
                if fruitless == _TRIES_BEFORE_WORDS:
                    self._trouble(f"nobody can be spoken to, last at {address}: {_words_of(error)}")
            self._set_connected(False)
            self._endpoints.failed(address)
            await asyncio.sleep(self._pause_s(fruitless))

    def _pause_s(self, fruitless: int) -> float:
        longest = min(_LONGEST_PAUSE_S, self._contact.contact_s / _HEARTBEATS_PER_CONTACT)
        return self._rng.uniform(0.5, 1.0) * min(longest, _FIRST_PAUSE_S * 2.0 ** min(fruitless, 10))

    async def _converse(self, address: str) -> None:
        async with self._endpoints.open_channel(address) as channel:
            call: Any = self._other.open(channel)
            self._unanswered.clear()
            hello_at = self._contact.now()
            try:
                await self._write(call, [WorkerReport(hello=self._hello())])
                self._outbox.rewind()
                await _first_to_end(self._speak(call), self._listen(call, address, hello_at))
            except (grpc.aio.AioRpcError, _StreamLost, TimeoutError, asyncio.InvalidStateError):
                # A call that has ended knows why; a failed write does not.
                if call.done():
                    await _raise_status(call)
                raise
            finally:
                call.cancel()

    async def _write(self, call: Any, reports: Sequence[WorkerReport]) -> None:
        if self._contact.lapsed:
            self._lapsed()
        async with asyncio.timeout(self._silence_s):
            await call.write(self._other.batch(reports))

    async def _speak(self, call: Any) -> None:
        loop = asyncio.get_running_loop()
        next_heartbeat = loop.time()
        while True:
            if (now := loop.time()) >= next_heartbeat or self._room_is_short():
                next_heartbeat = now + self._heartbeat_s
                self._refuse_silence()
                await self._beat(call)
            elif self._outbox.has_unwritten:
                await self._write(call, self._outbox.take())
            else:
                await self._wait_for_reports(next_heartbeat - now)

    async def _beat(self, call: Any) -> None:
        self._sequence += 1
        heartbeat = Heartbeat(sequence=self._sequence, resident_bytes=self._resident_bytes())
        self._unanswered[self._sequence] = self._contact.now()
        self._outbox.mark(self._sequence)
        await self._write(call, [WorkerReport(heartbeat=heartbeat)])

    def _room_is_short(self) -> bool:
        """Whether an answer is wanted now, so that what has arrived can be forgotten."""
        wanted = self._outbox.is_half_full or (self._hurries and not self._outbox.is_empty)
        return wanted and not self._unanswered

    def _refuse_silence(self) -> None:
        if self._unanswered and self._contact.now() - min(self._unanswered.values()) > self._silence_s:
            raise _StreamLost("heartbeats are not answered")

    async def _wait_for_reports(self, timeout_s: float) -> None:
        self._outbox.changed.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._outbox.changed.wait()
        except TimeoutError:
            return

    async def _listen(self, call: Any, address: str, hello_at: float) -> None:
        while True:
            response = await call.read()
            if response is grpc.aio.EOF:
                raise _StreamLost("the stream has ended")
            if not self.connected:
                if not self._contact.begun:
                    self._contact.answered(hello_at)
                self._endpoints.works(address)
                self._set_connected(True)
                self.heard.set()
            orders = [order for order in response.orders if not self._is_answer(order)]
            if orders:
                self._received(orders)

    def _is_answer(self, order: WorkerOrder) -> bool:
        if order.HasField("output_stored"):
            self._outbox.stored(order.lease, order.output_stored.position)
            return True
        if not order.HasField("heartbeat_answer"):
            return False
        sequence = order.heartbeat_answer.sequence
        if (sent_at := self._unanswered.get(sequence)) is not None:
            self._contact.answered(sent_at)
            self._unanswered = {number: at for number, at in self._unanswered.items() if number > sequence}
            self._outbox.acknowledge(sequence)
            self._changed()
            if self._room_is_short():
                self._outbox.changed.set()
        return True

    def _set_connected(self, connected: bool) -> None:
        if connected != self.connected:
            self.connected = connected
            self._changed()


def _raise_if_refused(error: BaseException) -> None:
    if isinstance(error, grpc.aio.AioRpcError) and error.code().name in _REFUSALS:
        raise SessionRefused(error.code(), error.details() or "") from error


def _words_of(error: BaseException) -> str:
    return error.details() or error.code().name if isinstance(error, grpc.aio.AioRpcError) else str(error) or "silence"


async def _raise_status(call: Any) -> None:
    code = await call.code()
    if code is not grpc.StatusCode.OK:
        raise grpc.aio.AioRpcError(
            code, await call.initial_metadata(), await call.trailing_metadata(), details=await call.details()
        )


async def _first_to_end(*work: Coroutine[Any, Any, None]) -> None:
    """Runs coroutines beside each other until one of them ends, which it does by raising; the others are cancelled."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
