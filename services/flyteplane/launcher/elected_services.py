"""The services of a process of which only a leader may serve: their listeners, which are there before any of them
leads, and a node for each."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from flyteplane.launcher.elections import ELECTED
from flyteplane.launcher.platform import STOP_GRACE_S
from flyteplane.launcher.rpc_services import rpc_services, worker_rpc_services
from flyteplane.launcher.services import AS_LEADER, OpenService, ServesWorkers, Surroundings
from flyteplane.leadership.node import LeaderNode, LeadingService, Term
from flyteplane.rpc.gate import Gate

if TYPE_CHECKING:
    from flyteplane.rpc.server import RpcServer


class ElectedListeners:
    """The internal listener and, if there is one, that of the workers, with two gates for each service.

    Args:
        internal: not started yet.
        services: what the process carries.
        workers: the listener for workers, not started yet; None for none.
        advertise: where other processes reach the internal listener, `host:port`; port 0 stands for that of the
            listener. Empty: as it listens.
    """

    def __init__(
        self, internal: RpcServer, *, services: Sequence[str], workers: RpcServer | None = None, advertise: str = ""
    ) -> None:
        self._services = {name: Gate(_names(rpc_services(name))) for name in services}
        self._workers = {name: Gate(_names(worker_rpc_services(name))) for name in services}
        self._internal = internal
        self._advertise = advertise
        internal.grpc_server.add_generic_rpc_handlers(tuple(self._services.values()))
        self._worker_server = workers
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
    def gates(self) -> Mapping[str, Gate]:
        """Before what other services call, by service."""
        return self._services

    @property
    def address(self) -> str:
        """Where other processes reach this one, once it listens."""
        host, _, port = self._advertise.rpartition(":")
        if port == "0":
            return f"{host}:{self._internal.address.rpartition(':')[2]}"
        return self._advertise or self._internal.address

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
            (given.leading.add if serving else given.leading.discard)(name)
            if not serving and name == "scheduler":
                given.operator_file.unfollow()
            await self._say_health(name, serving)

        return LeaderNode(
            given.coordination,
            name=ELECTED[name],
            clock=given.clock,
            address=self.address,
            open_service=open_service,
            services=self._services[name],
            workers=self._workers[name],
            on_change=changed,
            on_failure=on_failure,
            lease_ttl_s=lease_ttl_s,
        )

    @property
    def _speaks_for_all(self) -> str:
        """The service by which the listener for workers is judged as a whole."""
        return next((name for name in self._services if worker_rpc_services(name)), "")

    async def _say_health(self, service: str, serving: bool) -> None:
        for name in self._services[service].services:
            await self._internal.set_health(name, serving=serving)
        if self._worker_server is not None:
            whole = [""] if service == self._speaks_for_all else []
            for name in (*whole, *self._workers[service].services):
                await self._worker_server.set_health(name, serving=serving)

    async def close(self) -> None:
        """Stop listening to workers; the internal listener belongs to the process."""
        if self._worker_server is not None:
            await self._worker_server.stop(STOP_GRACE_S)


def _preloaded(name: str, given: Surroundings) -> Callable[[Term], Awaitable[LeadingService]]:
    """Opens a service for a term. Elected, it should only have to open its store: what it is made of is loaded now."""
    importlib.import_module(f"flyteplane.{name}.main")

    async def open_service(term: Term) -> LeadingService:
        service = await AS_LEADER[name](given, epoch=term.epoch, leads=term.leads, fail=term.fail)
        return service if isinstance(service, ServesWorkers) else _WithoutWorkers(service)

    return open_service


class _WithoutWorkers:
    """A service that no worker calls."""

    def __init__(self, service: OpenService) -> None:
        self.add_to = service.add_to
        self.close = service.close

    def add_workers_to(self, server: object) -> None:
        """There is nothing to add."""


def _names(services: Sequence[object]) -> list[str]:
    return [service.full_name for service in services]  # type: ignore[attr-defined]  # descriptors have no types
