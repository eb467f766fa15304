"""One process of a platform that runs as several.

It carries the services that it is told to, finds the others, and listens:

    internal    the other processes: whatever it carries; those of scheduler and reuse pool only while it leads
    public      clients, if it carries admin: every rpc service of the platform, those of other processes passed on
    workers     workers in pods, if it carries one of these two and is told to: what proves itself by a token

Like the embedded platform it opens wholly or not at all, and a service that fails ends the process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from flyte.spec.version import version
from flyteplane.foundation.clock import SystemClock
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.launcher.clusters import open_clusters
from flyteplane.launcher.coordination import open_etcd
from flyteplane.launcher.elections import ELECTED
from flyteplane.launcher.endpoint import address_to_listen_on
from flyteplane.launcher.failure import FirstFailure
from flyteplane.launcher.operator_keeper import OperatorFileKeeper
from flyteplane.launcher.others import Others
from flyteplane.launcher.platform import STOP_GRACE_S, close_service
from flyteplane.launcher.process_settings import ProcessSettings
from flyteplane.launcher.services import SERVICES, Surroundings
from flyteplane.launcher.shared_folder import SharedFolder
from flyteplane.launcher.surroundings import surround

if TYPE_CHECKING:
    import grpc

    from flyteplane.cluster.ports import Cluster
    from flyteplane.coordination import Coordination
    from flyteplane.launcher.folder import PlatformFolder
    from flyteplane.launcher.services import OpenService
    from flyteplane.rpc.server import RpcServer

_log = logging.getLogger("flyteplane.launcher")

#: Services that place workers, and so need clusters.
_PLACING: Final = frozenset({"scheduler", "reuse_pool"})


class ServiceProcess:
    """A running process of services. Made by `open`."""

    def __init__(self, settings: ProcessSettings, folder: SharedFolder, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._folder = folder
        self._stack = stack
        self._operator_file = OperatorFileKeeper(settings.operator)
        self._clock = SystemClock()
        self._failure = FirstFailure()
        self._endpoint = ""

    @classmethod
    async def open(
        cls, settings: ProcessSettings, *, on_locked: Callable[[PlatformFolder], None] | None = None
    ) -> ServiceProcess:
        """Open what the process carries, and listen. What elects a leader stands by when this returns.

        Raises:
            FailedPrecondition: somebody else holds the folder, a service or an endpoint.
            InvalidArgument: an endpoint cannot be used.
            Unavailable, DataLoss: folder, disk, databases, ports or the coordination store are not to be had.
        """
        async with AsyncExitStack() as stack:
            folder = SharedFolder.share(settings.data, process=settings.name, services=settings.carried_alone)
            stack.callback(folder.close)
            if on_locked is not None:
                on_locked(folder)
            process = cls(settings, folder, stack)
            await process._start()
            process._stack = stack.pop_all()
            return process

    @property
    def endpoint(self) -> str:
        """Where clients connect if this process carries admin; otherwise where the other processes do."""
        return self._endpoint

    async def wait_failed(self) -> None:
        """Return never, or raise the error of the service that cannot go on."""
        await self._failure.wait()

    async def take_operator_file(self) -> None:
        """Read the operator's file again; a wrong one changes nothing, and the log says why."""
        await self._operator_file.take_again()

    async def close(self) -> None:
        """Give the lead away, refuse new calls, make everything durable. May be called again."""
        self._folder.withdraw()
        await self._stack.aclose()

    # --- opening, in this order; closing goes the other way -----------------------------------------------------------

    async def _start(self) -> None:
        from flyteplane.rpc.internal import internal_server

        coordination = await self._open_coordination()
        background = await self._stack.enter_async_context(BackgroundTasks("launcher", on_failure=self._fail_of))
        others = Others(self._settings, coordination, clock=self._clock, background=background)
        self._stack.push_async_callback(others.close)
        given, opened = await self._open_services(coordination, others)
        internal = internal_server(address_to_listen_on(self._settings.listen, data=self._folder.own.path))
        for service in opened.values():
            service.add_to(internal.grpc_server)
        self._stack.push_async_callback(internal.stop, STOP_GRACE_S)
        elected = [name for name in ELECTED if name in self._settings.services]
        if elected:
            await self._start_elected(internal, given, elected)
        else:
            self._endpoint = await internal.start()
        if self._settings.metrics_listen:
            from flyteplane.launcher.metrics_listener import serve_metrics

            await serve_metrics(given.metrics, self._settings.metrics_listen, stack=self._stack)
        if "admin" in opened:
            await self._start_public(opened, others)
        if opened:
            others.register(list(opened), address=internal.address)
        self._folder.announce(endpoint=self._endpoint, version=version())

    async def _open_coordination(self) -> Coordination:
        if self._settings.etcd is not None:
            return await open_etcd(self._settings.etcd, clock=self._clock, stack=self._stack)
        from flyteplane.coordination import MemoryCoordination

        return MemoryCoordination(clock=self._clock)

    async def _open_services(
        self, coordination: Coordination, others: Others
    ) -> tuple[Surroundings, Mapping[str, OpenService]]:
        """Open what one process carries alone; what elects a leader is opened when it is elected."""
        from flyteplane.rpc.inprocess import InProcessServer

        carried = [entry for entry in SERVICES if entry.name in self._settings.services and entry.name not in ELECTED]
        servers = {entry.name: InProcessServer() for entry in carried}
        channels: dict[str, grpc.aio.Channel] = {name: server.channel() for name, server in servers.items()}
        channels.update({name: others.channel(name) for name in others.names})
        given = surround(
            self._folder,
            mode="services",
            operator_file=self._operator_file,
            clusters=await self._open_clusters(),
            coordination=coordination,
            channels=channels,
            clock=self._clock,
            fail=self._failure.note,
        )
        opened: dict[str, OpenService] = {}
        for entry in carried:
            service = await entry.open(given)
            self._stack.push_async_callback(close_service, entry.name, service)
            service.add_to(servers[entry.name])
            opened[entry.name] = service
        return given, opened

    async def _open_clusters(self) -> Sequence[Cluster]:
        if not _PLACING.intersection(self._settings.services):
            return ()
        wanted = self._settings.operator.clusters
        return await open_clusters(wanted, folder=self._folder.own.path, clock=self._clock, stack=self._stack)

    async def _start_public(self, opened: Mapping[str, OpenService], others: Others) -> None:
        from flyteplane.launcher.rpc_services import rpc_services
        from flyteplane.rpc.forwarding import add_forwarding
        from flyteplane.rpc.server import RpcServer

        public = RpcServer(address_to_listen_on(self._settings.endpoint, data=self._folder.path))
        for service in opened.values():
            service.add_to(public.grpc_server)
        for name in others.names:
            for descriptor in rpc_services(name):
                add_forwarding(public.grpc_server, descriptor, channel=others.channel(name))
        self._stack.push_async_callback(public.stop, STOP_GRACE_S)
        self._endpoint = await public.start()

    async def _start_elected(self, internal: RpcServer, given: Surroundings, names: Sequence[str]) -> None:
        from flyteplane.launcher.elected_services import ElectedListeners

        listeners = ElectedListeners(internal, services=names, worker_address=self._settings.worker_listen)
        self._stack.push_async_callback(listeners.close)
        self._endpoint = await listeners.start()
        lease_s = self._settings.operator.services.lease_s
        nodes = [listeners.node(name, given, lease_ttl_s=lease_s, on_failure=self._failure.note) for name in names]
        for node in nodes:
            node.start()
            # Closed first of all, so that the next leader need not wait for anything else.
            self._stack.push_async_callback(node.stop)

    def _fail_of(self, _: str, error: BaseException) -> None:
        self._failure.note(error)
