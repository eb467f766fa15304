"""The whole platform as one object.

    platform = await Platform.open(PlatformSettings(data=folder))
    ... platform.endpoint ...
    await platform.close()

Either everything runs or nothing: what fails while opening closes what was opened before, and a service that fails
later is told by `wait_failed`; the owner then closes the platform.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from flyte.spec.version import version
from flyteplane.foundation.clock import SystemClock
from flyteplane.foundation.ids import SystemIds
from flyteplane.launcher.clusters import open_clusters
from flyteplane.launcher.console import ConsolePlan, OpenConsole
from flyteplane.launcher.endpoint import address_to_listen_on
from flyteplane.launcher.failure import FirstFailure
from flyteplane.launcher.folder import PlatformFolder
from flyteplane.launcher.health import Health
from flyteplane.launcher.objects import open_objects
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
from flyteplane.launcher.telemetry import observe, with_telemetry
from flyteplane.launcher.transport import Transport
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    import grpc

    from flyteplane.launcher.operator_file import OperatorFile
    from flyteplane.rpc.observation import RpcObservation

_log = get_logger("launcher")

#: How long calls under way may go on once the platform stops; streams never end by themselves.
STOP_GRACE_S: Final = 0.5


class Platform:
    """A running platform. Made by `open`."""

    def __init__(self, stack: AsyncExitStack, folder: PlatformFolder, operator: OperatorFile) -> None:
        self._stack = stack
        self._folder = folder
        self._operator_file = OperatorFileKeeper(operator)
        self._failure = FirstFailure()
        self._health = Health(failed=lambda: self._failure.text)
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
        """Where clients connect: `unix:/path`, or `host:port` with the real port, `https://` before it with TLS."""
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
        self._health.stop()
        self._folder.withdraw()
        await self._stack.aclose()

    async def _start(self, address: str, settings: PlatformSettings, services: Sequence[ServiceEntry]) -> None:
        from flyteplane.launcher.edge import PlatformEdge, is_private_socket, local_owner
        from flyteplane.rpc.inprocess import InProcessServer
        from flyteplane.rpc.interceptors import Interceptors
        from flyteplane.rpc.server import RpcServer

        transport = Transport.open(settings.operator.tls, clock=SystemClock())
        servers = {name: InProcessServer() for name in SERVICE_NAMES}
        given, observation = await self._surroundings(
            {name: server.channel() for name, server in servers.items()}, transport
        )
        console = self._bind_console(settings, given, transport)
        given = replace(given, console_url=console.url if console is not None else "")
        edge = PlatformEdge(given)
        # Behind a proxy the socket's caller is not who calls.
        alone = is_private_socket(address) and not settings.operator.tls.edge_terminated
        guard = edge.guard(owner=local_owner() if alone else None)
        public = RpcServer(
            address, credentials=transport.edge_credentials(address), interceptors=Interceptors(identity=(guard,))
        )
        workers = transport.worker_server(settings.worker_listen) if settings.worker_listen else None
        if console is not None:
            console.reach(public, address, tls=transport.edge is not None)
        observe(observation, public, workers)
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

            self._metrics_address = await serve_metrics(
                given.metrics, settings.metrics_listen, stack=self._stack, health=self._health
            )
        await edge.start(self._stack)
        # Stopped before any service is closed, because it was pushed last.
        self._stack.push_async_callback(public.stop, STOP_GRACE_S)
        self._endpoint = transport.edge_url(await public.start())
        if console is not None:
            await console.start(self._endpoint)
        self._folder.announce(
            endpoint=self._endpoint,
            version=version(),
            console=given.console_url,
            certificate=transport.edge_certificate(self._endpoint),
        )

    def _bind_console(
        self, settings: PlatformSettings, given: Surroundings, transport: Transport
    ) -> OpenConsole | None:
        plan = ConsolePlan(
            listen=settings.console_listen,
            operator=given.operator,
            folder=self._folder.path,
            token_key=given.token_key,
            tls=transport.edge_context(),
            owner_key=given.owner_key,
        )
        return plan.open(self._stack)

    async def _surroundings(
        self, channels: Mapping[str, grpc.aio.Channel], transport: Transport
    ) -> tuple[Surroundings, RpcObservation]:
        from flyteplane.coordination.memory import MemoryCoordination
        from flyteplane.identity.key_files import ensure_owner_key

        folder, clock, clusters = self._folder, SystemClock(), self._operator_file.current.clusters
        wanted = self._operator_file.current.objects
        objects = await open_objects(folder, wanted, clock=clock, ids=SystemIds(), stack=self._stack)
        given = surround(
            folder,
            mode="embedded",
            operator_file=self._operator_file,
            objects=objects,
            clusters=await open_clusters(
                clusters,
                folder=folder.path,
                objects=objects,
                clock=clock,
                stack=self._stack,
                worker_authorities=transport.worker_authorities,
            ),
            # Fencing tokens come from the revision, so a new process begins above those of the one before it.
            coordination=MemoryCoordination(clock=clock, initial_revision=int(clock.now() * 1000)),
            channels=channels,
            clock=clock,
            fail=self._failure.note,
            owner_key=ensure_owner_key(folder.owner_key),
        )
        given.bundles.remove_abandoned()
        # Alone on its folder: it leads whatever there is.
        given.leading.update(SERVICE_NAMES)
        given.metrics.read_from(transport.readings)
        return with_telemetry(given, process="platform", carried=SERVICE_NAMES, stack=self._stack)


async def close_service(name: str, service: OpenService) -> None:
    """Close a service; one that fails to close must not keep the others from it."""
    try:
        await service.close()
    except Exception:
        _log.error("service_not_closed", service=name, exc_info=True)
