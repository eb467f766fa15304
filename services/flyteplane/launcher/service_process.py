"""One process of a platform that runs as several.

It carries the services that it is told to, stands for election for each of them, finds the others, and listens:

    internal    the other processes: whatever it carries, while it leads it
    public      clients, if it carries admin: every rpc service of the platform; what it does not lead is passed on
    workers     workers in pods, if it carries scheduler or reuse pool and is told to: what proves itself by a token

Like the embedded platform it opens wholly or not at all, and a service that fails ends the process. A client may be
sent to any process that carries admin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from flyte.spec.version import version
from flyteplane.foundation.clock import SystemClock
from flyteplane.foundation.errors import FailedPrecondition
from flyteplane.foundation.ids import SystemIds
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.launcher.clusters import open_clusters
from flyteplane.launcher.console import ConsolePlan, OpenConsole
from flyteplane.launcher.coordination import open_etcd
from flyteplane.launcher.endpoint import address_to_listen_on
from flyteplane.launcher.failure import FirstFailure
from flyteplane.launcher.health import ELECTION_S, CoordinationAnswers, DatabaseAnswers, Health, LeadersAnswer, Need
from flyteplane.launcher.objects import OpenObjects, open_objects
from flyteplane.launcher.operator_keeper import OperatorFileKeeper
from flyteplane.launcher.others import Others
from flyteplane.launcher.platform import STOP_GRACE_S
from flyteplane.launcher.process_settings import ProcessSettings
from flyteplane.launcher.rpc_services import rpc_services, worker_rpc_services
from flyteplane.launcher.service_addresses import MigrationPolicy
from flyteplane.launcher.shared_folder import SharedFolder
from flyteplane.launcher.surroundings import surround
from flyteplane.launcher.telemetry import observe, with_telemetry
from flyteplane.launcher.transport import Transport

if TYPE_CHECKING:
    from flyteplane.cluster.ports import Cluster
    from flyteplane.coordination import Coordination
    from flyteplane.launcher.elected_services import ElectedListeners
    from flyteplane.launcher.folder import PlatformFolder
    from flyteplane.launcher.services import Surroundings
    from flyteplane.rpc.observation import RpcObservation
    from flyteplane.rpc.server import RpcServer

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
        self._transport = Transport()
        self._failure = FirstFailure()
        self._health = Health()
        self._public: RpcServer | None = None
        self._observation: RpcObservation | None = None
        self._console: OpenConsole | None = None
        self._endpoint = ""

    @classmethod
    async def open(
        cls, settings: ProcessSettings, *, on_locked: Callable[[PlatformFolder], None] | None = None
    ) -> ServiceProcess:
        """Listen, and stand by for everything that the process carries.

        Raises:
            FailedPrecondition: somebody else holds the folder, a service or an endpoint.
            InvalidArgument: an endpoint cannot be used.
            Unavailable, DataLoss: folder, disk, databases, ports or the coordination store are not to be had.
        """
        async with AsyncExitStack() as stack:
            folder = SharedFolder.share(
                settings.data,
                process=settings.name,
                services=settings.carried_alone,
                announces="admin" in settings.services,
            )
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
        self._health.stop()
        if self._public is not None:
            await self._public.withdraw()
            if not self._failure.text:
                # Whoever sends clients here hears of it with some delay, and they are served until then.
                await self._clock.sleep(self._settings.operator.services.drain_s)
        self._folder.withdraw()
        await self._stack.aclose()

    # --- opening, in this order; closing goes the other way -----------------------------------------------------------

    async def _start(self) -> None:
        self._transport = Transport.open(
            self._settings.operator.tls.needed_by(self._settings.services), clock=self._clock
        )
        await self._await_schemas()
        coordination = await self._open_coordination()
        background = await self._stack.enter_async_context(BackgroundTasks("launcher", on_failure=self._fail_of))
        others = Others(
            self._settings, coordination, clock=self._clock, background=background, transport=self._transport
        )
        self._stack.push_async_callback(others.close)
        given = await self._surroundings(coordination, others)
        listeners = self._listeners()
        address = await listeners.start()
        if self._settings.metrics_listen:
            from flyteplane.launcher.metrics_listener import serve_metrics

            self._health = self._open_health(given, coordination, others)
            await serve_metrics(given.metrics, self._settings.metrics_listen, stack=self._stack, health=self._health)
        self._endpoint = (
            await self._start_public(listeners, others, given) if "admin" in self._settings.services else address
        )
        self._campaign(listeners, given)
        if self._console is not None:
            await self._console.start(self._endpoint)
        self._folder.announce(
            endpoint=self._endpoint,
            version=version(),
            console=given.console_url,
            certificate=self._transport.edge_certificate(self._endpoint),
        )

    async def _await_schemas(self) -> None:
        from flyteplane.launcher.schemas import await_schemas

        services = self._settings.operator.services
        urls = {
            name: services.database_url(name) or self._folder.database_url(name) for name in self._settings.services
        }
        await await_schemas(urls, wait_for_job=services.migrate is MigrationPolicy.JOB, clock=self._clock)

    def _open_health(self, given: Surroundings, coordination: Coordination, others: Others) -> Health:
        """What `/ready` needs; a database of the folder is there as long as the process is."""
        services = self._settings.operator.services
        leaders = {name: others.channel(name) for name in self._settings.services}
        needs: list[Need] = [
            CoordinationAnswers(coordination),
            LeadersAnswer(leaders, clock=self._clock, patience_s=services.lease_s + ELECTION_S),
        ]
        if services.database:
            database = DatabaseAnswers(services.database_url(self._settings.services[0]))
            self._stack.push_async_callback(database.close)
            needs.append(database)
        return Health(needs, failed=lambda: self._failure.text)

    async def _open_coordination(self) -> Coordination:
        if self._settings.etcd is not None:
            return await open_etcd(self._settings.etcd, clock=self._clock, stack=self._stack)
        from flyteplane.coordination import MemoryCoordination

        return MemoryCoordination(clock=self._clock)

    async def _surroundings(self, coordination: Coordination, others: Others) -> Surroundings:
        wanted = self._settings.operator.objects
        objects = await open_objects(self._folder, wanted, clock=self._clock, ids=SystemIds(), stack=self._stack)
        given = surround(
            self._folder,
            mode="services",
            operator_file=self._operator_file,
            objects=objects,
            clusters=await self._open_clusters(objects),
            coordination=coordination,
            channels={name: others.channel(name) for name in others.names},
            clock=self._clock,
            fail=self._failure.note,
        )
        self._console = self._bind_console(given)
        # Whoever of admin leads says where people look at the platform: where all of its consoles are reached.
        url = self._console.url if self._console is not None else self._settings.operator.console_url
        given.metrics.read_from(self._transport.readings)
        given, self._observation = with_telemetry(
            replace(given, console_url=url),
            process=self._settings.name,
            carried=self._settings.services,
            stack=self._stack,
        )
        return given

    def _bind_console(self, given: Surroundings) -> OpenConsole | None:
        plan = ConsolePlan(
            listen=self._settings.console_listen,
            operator=given.operator,
            folder=self._folder.path,
            token_key=given.token_key,
            tls=self._transport.edge_context(),
            by_link=not given.operator.identity.configured,
        )
        return plan.open(self._stack)

    async def _open_clusters(self, objects: OpenObjects) -> Sequence[Cluster]:
        if not _PLACING.intersection(self._settings.services):
            return ()
        wanted = self._settings.operator.clusters
        return await open_clusters(
            wanted,
            folder=self._folder.own.path,
            objects=objects,
            clock=self._clock,
            stack=self._stack,
            worker_authorities=self._transport.worker_authorities,
        )

    def _listeners(self) -> ElectedListeners:
        from flyteplane.launcher.elected_services import ElectedListeners

        settings = self._settings
        internal = self._transport.internal_server(address_to_listen_on(settings.listen, data=self._folder.own.path))
        self._stack.push_async_callback(internal.stop, STOP_GRACE_S)
        serves_workers = any(worker_rpc_services(name) for name in settings.services)
        worker_listen = settings.worker_listen if serves_workers else ""
        workers = self._transport.worker_server(worker_listen) if worker_listen else None
        observe(self._observation, internal, workers)
        listeners = ElectedListeners(
            internal, services=settings.services, workers=workers, advertise=settings.advertise
        )
        self._stack.push_async_callback(listeners.close)
        return listeners

    async def _start_public(self, listeners: ElectedListeners, others: Others, given: Surroundings) -> str:
        """Serve clients: here what this process leads at the moment, and the rest by passing it on."""
        from flyteplane.identity.passing import caller_metadata
        from flyteplane.launcher.edge import PlatformEdge, local_owner
        from flyteplane.rpc.forwarding import add_forwarding
        from flyteplane.rpc.gate import OpenGate
        from flyteplane.rpc.interceptors import Interceptors
        from flyteplane.rpc.server import RpcServer

        address = self._client_address()
        edge = PlatformEdge(given)
        await edge.start(self._stack)
        guard = edge.guard(owner=None if given.operator.identity.configured else local_owner())
        public = RpcServer(
            address,
            credentials=self._transport.edge_credentials(address),
            interceptors=Interceptors(identity=(guard,)),
        )
        if self._console is not None:
            self._console.reach(public, address, tls=self._transport.edge is not None)
        observe(self._observation, public)
        public.grpc_server.add_generic_rpc_handlers(tuple(OpenGate(gate) for gate in listeners.gates.values()))
        for name in others.names:
            for descriptor in rpc_services(name):
                add_forwarding(public.grpc_server, descriptor, channel=others.channel(name), added=caller_metadata)
        self._public = public
        self._stack.push_async_callback(public.stop, STOP_GRACE_S)
        return self._transport.edge_url(await public.start())

    def _client_address(self) -> str:
        """As it was told; by default the socket of the platform, or one of its own if another process has that."""
        try:
            return address_to_listen_on(self._settings.endpoint, data=self._folder.path)
        except FailedPrecondition:
            if self._settings.endpoint:
                raise
            return address_to_listen_on("", data=self._folder.own.path / "clients")

    def _campaign(self, listeners: ElectedListeners, given: Surroundings) -> None:
        lease_s = self._settings.operator.services.lease_s
        for name in self._settings.services:
            node = listeners.node(name, given, lease_ttl_s=lease_s, on_failure=self._failure.note)
            node.start()
            # Closed first of all, so that the next leader need not wait for anything else.
            self._stack.push_async_callback(node.stop)

    def _fail_of(self, _: str, error: BaseException) -> None:
        self._failure.note(error)
