"""One of several processes of a service: a standby until it is elected, then the leader until it loses the lead.

    standby --- elected ---> opening --- restored ---> leading --- lead lost, or told to stop ---> standby, or the end

What it guarantees:

- A standby opens nothing: neither database nor streams to other services. It answers UNAVAILABLE (NOT_LEADER).
- The leader's address is told to others only while it serves, so whoever follows it never calls too early.
- No answer leaves after the lease may have ended by this process's own clock, whatever the process believes; what it
  writes is fenced by its epoch inside the database transaction.
- A stop answers what was asked, writes what is left, then resigns: the next leader need not wait for the lease to end.

A store that is away when the service is opened is tried again, in turn with the other processes. What only a person can
mend, such as a schema of a newer build or a key that is missing, ends the process.

After a failure of its store memory cannot be trusted. If the reason is that another leader has the shard, this one
goes back to standing by; after any other the process ends, and its next start goes on from what is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from flyteplane.coordination import HeldLease, Leadership, Put, created_at, hold_lease
from flyteplane.coordination.election import leader_key
from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, PermissionDenied, PlatformError
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from flyteplane.coordination import Coordination
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.rpc.gate import Gate

_log = get_logger("leadership")

LEASE_TTL_S: Final = 10.0
#: Pause after the coordination store was away, or opening has failed and others should have their turn.
_PAUSE_S: Final = 0.5
#: Calls under way that have one answer are given so long when the process is told to stop.
_DRAIN_S: Final = 0.5
#: A service that has not closed after this long never will; the process ends, and nothing durable is lost.
_CLOSE_WITHIN_S: Final = 10.0


class LeadingService(Protocol):
    """A service, opened for one time of leading."""

    def add_to(self, server: Any) -> None:
        """Register what other services call."""

    def add_workers_to(self, server: Any) -> None:
        """Register what workers call."""

    async def close(self) -> None:
        """Stop doing anything and write what is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One time of leading, as its service sees it."""

    epoch: int
    """Greater than that of every leader before."""
    leads: Callable[[], bool]
    """Whether the lease surely lives, by this process's own clock. Ask right before saying anything."""
    fail: Callable[[BaseException], None]
    """Called when the service cannot go on."""


OpenService = Callable[[Term], Awaitable[LeadingService]]


class LeaderNode:
    """See the module.

    Args:
        name: what is led, such as `shards.SCHEDULER`.
        address: where other processes reach this one; told to them while it leads.
        open_service: opens the service for a term. Raises PlatformError if it cannot.
        services, workers: the gates before what other services call, and before what workers call.
        on_change: called with True when this process begins to serve as the leader, with False when it no longer does.
        on_failure: called when this process cannot go on; the owner then ends it.
    """

    def __init__(
        self,
        coordination: Coordination,
        *,
        name: str,
        clock: TimerClock,
        address: str,
        open_service: OpenService,
        services: Gate,
        workers: Gate,
        on_change: Callable[[bool], Awaitable[None]],
        on_failure: Callable[[BaseException], None],
        lease_ttl_s: float = LEASE_TTL_S,
    ) -> None:
        self._coordination = coordination
        self._clock = clock
        self._address = address.encode()
        self._open_service = open_service
        self._gates = (services, workers)
        self._on_change = on_change
        self._on_failure = on_failure
        self._name = name
        self._lease_ttl_s = lease_ttl_s
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to campaign, in the background."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"node of {self._name}")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Stop serving, write what is left, give the lead away. May be called again."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error.__cause__ if isinstance(error, _Unfit) and error.__cause__ else error)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._campaign()
            except PlatformError as error:
                _log.warning("standing_by", service=self._name, problem=str(error))
                await self._unless_stopping(self._clock.sleep(_PAUSE_S))

    async def _campaign(self) -> None:
        """Wait for the lead, and lead until it is lost. Raises PlatformError when either cannot be had."""
        lease = await self._unless_stopping(hold_lease(self._coordination, ttl_s=self._lease_ttl_s, clock=self._clock))
        if lease is None:
            return
        try:
            elected = self._coordination.elect(self._name, lease=lease)
            leadership = await self._unless_stopping(elected)
            if leadership is not None:
                await self._lead(leadership, lease)
        finally:
            # Also what ends the wait of the others, in case an election took effect that we were not told of.
            await lease.release()

    async def _lead(self, leadership: Leadership, lease: HeldLease) -> None:
        _log.info("elected", service=self._name, epoch=leadership.epoch)
        failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def fail(error: BaseException) -> None:
            if not failure.done():
                failure.set_exception(error)
                # Taken note of, since nobody asks for one that comes while the service closes.
                failure.exception()

        term = Term(
            epoch=leadership.epoch,
            leads=lambda: not leadership.lost.is_set() and self._clock.monotonic() < lease.valid_until,
            fail=fail,
        )
        try:
            if not term.leads():
                # Paused since the election: claiming the store now would take it from whoever leads meanwhile.
                return
            service = await self._opened(term)
            try:
                await self._serve(service, term, leadership=leadership, lease=lease, failure=failure)
            finally:
                await self._close(service)
        finally:
            await _resign(leadership)

    async def _opened(self, term: Term) -> LeadingService:
        try:
            return await self._open_service(term)
        except (FailedPrecondition, InvalidArgument, PermissionDenied) as error:
            # A person has to mend it, and hears of a process that ends; one that tries for ever hides it.
            raise _Unfit(error) from error

    async def _serve(
        self,
        service: LeadingService,
        term: Term,
        *,
        leadership: Leadership,
        lease: HeldLease,
        failure: asyncio.Future[None],
    ) -> None:
        for gate, register in zip(self._gates, (service.add_to, service.add_workers_to), strict=True):
            gate.open(register, leads=term.leads)
        try:
            await self._tell_address(self._address, leadership, lease)
            await self._on_change(True)
            _log.info("leading", service=self._name, epoch=leadership.epoch)
            await _first(leadership.lost.wait(), self._stopping.wait(), _until(failure))
            _raise_unless_replaced(failure)
        finally:
            if self._stopping.is_set() and term.leads():
                await asyncio.gather(*(gate.drain(_DRAIN_S) for gate in self._gates))
            for gate in self._gates:
                gate.shut()
            await self._on_change(False)
            _log.info("no_longer_leading", service=self._name, epoch=leadership.epoch)
            if term.leads():
                await self._tell_address(b"", leadership, lease)

    async def _tell_address(self, address: bytes, leadership: Leadership, lease: HeldLease) -> None:
        """Write where the leader serves into its key. Nothing happens if the key is another's by now."""
        key = leader_key(self._name)
        written = Put(key, address, lease.lease_id)
        await self._coordination.txn(when=[created_at(key, leadership.epoch)], then=[written])

    async def _close(self, service: LeadingService) -> None:
        """Close what served. A failure on the way changes nothing: what was acknowledged is durable."""
        try:
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await service.close()
        except PlatformError as error:
            _log.warning("leader_not_closed", service=self._name, problem=str(error))

    async def _unless_stopping(self, work: Awaitable[Any]) -> Any:
        """The outcome of `work`; None, with the work cancelled, when the node is told to stop first."""
        task = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            task.cancel()
            stopping.cancel()
            await asyncio.gather(task, stopping, return_exceptions=True)


def _raise_unless_replaced(failure: asyncio.Future[None]) -> None:
    if failure.done() and (error := failure.exception()) is not None:
        if isinstance(error, PlatformError) and error.reason == "FENCED":
            _log.warning("replaced_by_another_leader", problem=str(error))
            return
        raise _Unfit(error)


class _Unfit(Exception):
    """The service has failed, and with it this process."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.__cause__ = error


async def _resign(leadership: Leadership) -> None:
    try:
        await leadership.resign()
    except PlatformError as error:
        _log.warning("lead_ends_with_its_lease", service=leadership.name, problem=str(error))


async def _until(failure: asyncio.Future[None]) -> None:
    await asyncio.wait([failure])


async def _first(*waits: Any) -> None:
    """Return once one of `waits` is over."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
