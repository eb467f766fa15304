"""The services of a process of which only a leader may serve: their listeners, which are there before any of them
leads, and a node for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from flyteplane.launcher.elections import ELECTED
from flyteplane.launcher.platform import STOP_GRACE_S
from flyteplane.launcher.rpc_services import rpc_services, worker_rpc_services
from flyteplane.launcher.services import Surroundings, open_reuse_pool_service, open_scheduler_service
from flyteplane.leadership.node import LeaderNode, LeadingService, Term
from flyteplane.rpc.gate import Gate
from flyteplane.rpc.internal import worker_server

if TYPE_CHECKING:
    from flyteplane.rpc.server import RpcServer
    from flyteplane.scheduler.main import SchedulerService


class ElectedListeners:
    """The internal listener and, if there is one, that of the workers, with two gates for each service.

    Args:
        internal: not started yet; other services of the process may be registered on it.
        services: those of `ELECTED` that the process carries.
        worker_address: `host:port`; empty for none.
    """

    def __init__(self, internal: RpcServer, *, services: Sequence[str], worker_address: str = "") -> None:
        self._services = {name: Gate(_names(rpc_services(name))) for name in services}
        self._workers = {name: Gate(_names(worker_rpc_services(name))) for name in services}
        self._internal = internal
        internal.grpc_server.add_generic_rpc_handlers(tuple(self._services.values()))
        self._worker_server = worker_server(worker_address) if worker_address else None
        if self._worker_server is not None:
            self._worker_server.grpc_server.add_generic_rpc_handlers(tuple(self._workers.values()))

    async def start(self) -> str:
        """Listen as a standby; returns the internal address. Raises Unavailable when one cannot be listened on."""
        address = await self._internal.start()
        if self._worker_server is not None:
            await self._worker_server.start()
        for name in self._services:
            await self._say_health(name, False)
        return address

    @property
    def worker_address(self) -> str:
        """Where workers connect, with the real port; empty for nowhere."""
        return self._worker_server.address if self._worker_server is not None else ""

    def node(
        self, name: str, given: Surroundings, *, lease_ttl_s: float, on_failure: Callable[[BaseException], None]
    ) -> LeaderNode:
        """The node that opens the gates of a service when it is elected; not started yet."""
        open_service = _preloaded(name, given)

        async def changed(serving: bool) -> None:
            if not serving and name == "scheduler":
                given.operator_file.unfollow()
            await self._say_health(name, serving)

        return LeaderNode(
            given.coordination,
            name=ELECTED[name],
            clock=given.clock,
            address=self._internal.address,
            open_service=open_service,
            services=self._services[name],
            workers=self._workers[name],
            on_change=changed,
            on_failure=on_failure,
            lease_ttl_s=lease_ttl_s,
        )

    async def _say_health(self, service: str, serving: bool) -> None:
        for name in self._services[service].services:
            await self._internal.set_health(name, serving=serving)
        if self._worker_server is not None:
            whole = [""] if service == next(iter(self._services)) else []
            for name in (*whole, *self._workers[service].services):
                await self._worker_server.set_health(name, serving=serving)

    async def close(self) -> None:
        """Stop listening to workers; the internal listener belongs to the process."""
        if self._worker_server is not None:
            await self._worker_server.stop(STOP_GRACE_S)


def _preloaded(name: str, given: Surroundings) -> Callable[[Term], Awaitable[LeadingService]]:
    """Opens a service for a term. Elected, it should only have to open its store: what it is made of is loaded now."""
    if name == "scheduler":
        import flyteplane.scheduler.main

        async def open_scheduler(term: Term) -> SchedulerService:
            return await open_scheduler_service(given, epoch=term.epoch, leads=term.leads, fail=term.fail)

        return open_scheduler
    import flyteplane.reuse_pool.main  # noqa: F401  # for its effect

    async def open_reuse_pool(term: Term) -> LeadingService:
        return await open_reuse_pool_service(given, epoch=term.epoch, leads=term.leads, fail=term.fail)

    return open_reuse_pool


def _names(services: Sequence[object]) -> list[str]:
    return [service.full_name for service in services]  # type: ignore[attr-defined]  # descriptors have no types
