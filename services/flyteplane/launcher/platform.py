"""The whole platform as one object.

    platform = await Platform.open(PlatformSettings(data=folder))
    ... platform.endpoint ...
    await platform.close()

Either everything runs or nothing: what fails while opening closes what was opened before, and a service that fails
later is told by `wait_failed`; the owner then closes the platform.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from flyte.spec.version import version
from flyteplane.foundation.clock import SystemClock
from flyteplane.launcher.clusters import open_clusters
from flyteplane.launcher.endpoint import address_to_listen_on
from flyteplane.launcher.failure import FirstFailure
from flyteplane.launcher.folder import PlatformFolder
from flyteplane.launcher.operator_keeper import OperatorFileKeeper
from flyteplane.launcher.services import (
    SERVICE_NAMES,
    SERVICES,
    OpenService,
    ServesWorkers,
    ServiceEntry,
    Surroundings,
)
from flyteplane.launcher.settings import PlatformSettings
from flyteplane.launcher.surroundings import surround

if TYPE_CHECKING:
    import grpc

    from flyteplane.launcher.operator_file import OperatorFile

_log = logging.getLogger("flyteplane.launcher")

#: How long calls under way may go on once the platform stops; streams never end by themselves.
STOP_GRACE_S: Final = 0.5


class Platform:
    """A running platform. Made by `open`."""

    def __init__(self, stack: AsyncExitStack, folder: PlatformFolder, operator: OperatorFile) -> None:
        self._stack = stack
        self._folder = folder
        self._operator_file = OperatorFileKeeper(operator)
        self._failure = FirstFailure()
        self._endpoint = ""
        self._worker_address = ""
        self._metrics_address = ""

    @classmethod
    async def open(
        cls,
        settings: PlatformSettings,
        *,
        services: Sequence[ServiceEntry] = SERVICES,
        on_locked: Callable[[PlatformFolder], None] | None = None,
    ) -> Platform:
        """Open every service and listen.

        Args:
            services: the table of services; another one is for tests.
            on_locked: called when the folder is ours, before any service is opened.

        Raises:
            FailedPrecondition: another platform holds the folder or the endpoint; a database is from a newer build.
            InvalidArgument: the endpoint cannot be used.
            Unavailable, DataLoss: folder, disk, databases or port are not to be had.
        """
        async with AsyncExitStack() as stack:
            folder = PlatformFolder.open(settings.data)
            stack.callback(folder.close)
            if on_locked is not None:
                on_locked(folder)
            address = address_to_listen_on(settings.endpoint, data=folder.path)
            platform = cls(stack, folder, settings.operator)
            await platform._start(address, settings, services)
            platform._stack = stack.pop_all()
            return platform

    @property
    def endpoint(self) -> str:
        """Where clients connect: `unix:/path`, or `host:port` with the real port."""
        return self._endpoint

    @property
    def worker_address(self) -> str:
        """Where workers in pods connect, with the real port; empty for nowhere."""
        return self._worker_address

    @property
    def metrics_address(self) -> str:
        """Where Prometheus reads metrics, with the real port; empty for nowhere."""
        return self._metrics_address

    async def wait_failed(self) -> None:
        """Return never, or raise the error of the service that cannot go on."""
        await self._failure.wait()

    async def take_operator_file(self) -> None:
        """Read the operator's file again; a wrong one changes nothing, and the log says why."""
        await self._operator_file.take_again()

    async def close(self) -> None:
        """Refuse new calls, end those under way, stop the workers, make everything durable. May be called again."""
        self._folder.withdraw()
        await self._stack.aclose()

    async def _start(self, address: str, settings: PlatformSettings, services: Sequence[ServiceEntry]) -> None:
        from flyteplane.rpc.inprocess import InProcessServer
        from flyteplane.rpc.internal import worker_server
        from flyteplane.rpc.server import RpcServer

        servers = {name: InProcessServer() for name in SERVICE_NAMES}
        given = await self._surroundings({name: server.channel() for name, server in servers.items()})
        public = RpcServer(address)
        workers = worker_server(settings.worker_listen) if settings.worker_listen else None
        for entry in services:
            service = await entry.open(given)
            self._stack.push_async_callback(close_service, entry.name, service)
            service.add_to(servers[entry.name])
            service.add_to(public.grpc_server)
            if workers is not None and isinstance(service, ServesWorkers):
                service.add_workers_to(workers.grpc_server)
        if workers is not None:
            self._stack.push_async_callback(workers.stop, STOP_GRACE_S)
            self._worker_address = await workers.start()
        if settings.metrics_listen:
            from flyteplane.launcher.metrics_listener import serve_metrics

            self._metrics_address = await serve_metrics(given.metrics, settings.metrics_listen, stack=self._stack)
        # Stopped before any service is closed, because it was pushed last.
        self._stack.push_async_callback(public.stop, STOP_GRACE_S)
        self._endpoint = await public.start()
        self._folder.announce(endpoint=self._endpoint, version=version())

    async def _surroundings(self, channels: Mapping[str, grpc.aio.Channel]) -> Surroundings:
        from flyteplane.coordination.memory import MemoryCoordination

        folder, clock, clusters = self._folder, SystemClock(), self._operator_file.current.clusters
        given = surround(
            folder,
            mode="embedded",
            operator_file=self._operator_file,
            clusters=await open_clusters(clusters, folder=folder.path, clock=clock, stack=self._stack),
            # Fencing tokens come from the revision, so a new process begins above those of the one before it.
            coordination=MemoryCoordination(clock=clock, initial_revision=int(clock.now() * 1000)),
            channels=channels,
            clock=clock,
            fail=self._failure.note,
        )
        given.bundles.remove_abandoned()
        return given


async def close_service(name: str, service: OpenService) -> None:
    """Close a service; one that fails to close must not keep the others from it."""
    try:
        await service.close()
    except Exception:
        _log.exception("closing %s failed", name)
