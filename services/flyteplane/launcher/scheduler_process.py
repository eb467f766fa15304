"""A scheduler in a process of its own: its listeners, which are there before it leads, and its node."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flyteplane.launcher.platform import STOP_GRACE_S
from flyteplane.launcher.rpc_services import rpc_services, worker_rpc_services
from flyteplane.launcher.services import Surroundings, open_scheduler_service
from flyteplane.rpc.gate import Gate
from flyteplane.rpc.internal import worker_server
from flyteplane.scheduler.node import SchedulerNode, Term

if TYPE_CHECKING:
    from flyteplane.rpc.server import RpcServer
    from flyteplane.scheduler.main import SchedulerService


class SchedulerListeners:
    """The internal listener and, if there is one, that of the workers, each with its gate.

    Args:
        internal: not started yet; other services of the process may be registered on it.
        worker_address: `host:port`; empty for none.
    """

    def __init__(self, internal: RpcServer, *, worker_address: str = "") -> None:
        self._services = Gate([service.full_name for service in rpc_services("scheduler")])
        self._workers = Gate([service.full_name for service in worker_rpc_services()])
        self._internal = internal
        internal.grpc_server.add_generic_rpc_handlers((self._services,))
        self._worker_server = worker_server(worker_address) if worker_address else None
        if self._worker_server is not None:
            self._worker_server.grpc_server.add_generic_rpc_handlers((self._workers,))

    async def start(self) -> str:
        """Listen as a standby; returns the internal address. Raises Unavailable when one cannot be listened on."""
        address = await self._internal.start()
        if self._worker_server is not None:
            await self._worker_server.start()
        await self._say_health(False)
        return address

    @property
    def worker_address(self) -> str:
        """Where workers connect, with the real port; empty for nowhere."""
        return self._worker_server.address if self._worker_server is not None else ""

    def node(
        self, given: Surroundings, *, lease_ttl_s: float, on_failure: Callable[[BaseException], None]
    ) -> SchedulerNode:
        """The node that opens the gates when it is elected; not started yet."""
        # Elected, it should only have to open its store: what it is made of is loaded now.
        import flyteplane.scheduler.main  # noqa: F401

        async def changed(serving: bool) -> None:
            if not serving:
                given.operator_file.unfollow()
            await self._say_health(serving)

        async def open_service(term: Term) -> SchedulerService:
            return await open_scheduler_service(given, epoch=term.epoch, leads=term.leads, fail=term.fail)

        return SchedulerNode(
            given.coordination,
            clock=given.clock,
            address=self._internal.address,
            open_service=open_service,
            services=self._services,
            workers=self._workers,
            on_change=changed,
            on_failure=on_failure,
            lease_ttl_s=lease_ttl_s,
        )

    async def _say_health(self, serving: bool) -> None:
        for name in self._services.services:
            await self._internal.set_health(name, serving=serving)
        if self._worker_server is not None:
            for name in ("", *self._workers.services):
                await self._worker_server.set_health(name, serving=serving)

    async def close(self) -> None:
        """Stop listening to workers; the internal listener belongs to the process."""
        if self._worker_server is not None:
            await self._worker_server.stop(STOP_GRACE_S)
