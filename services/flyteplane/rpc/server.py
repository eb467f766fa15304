"""One way to set up a gRPC server: limits, keepalive, interceptors, health, reflection and a graceful stop.

server = RpcServer("unix:/run/flyteplane.sock", interceptors=Interceptors(identity=[...]))
add_CacheServiceServicer_to_server(servicer, server.grpc_server)
await server.start()
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import grpc

from flyteplane.foundation.errors import InvalidArgument, Unavailable
from flyteplane.foundation.ids import IdSource
from flyteplane.rpc.interceptors import Interceptors
from flyteplane.rpc.observation import LateObservation, RpcObservation

#: The largest message that is taken at the edge. Larger values go through the object store.
EDGE_MESSAGE_BYTES: Final = 4 * 1024 * 1024
#: And the largest that is given there. Pages and streams stay below 3 MiB (`message_size`); a single action with many
#: failed attempts may be larger, and whoever wants to see it has to take it.
EDGE_ANSWER_BYTES: Final = 64 * 1024 * 1024
#: Calls under way on one connection of a client.
MOST_STREAMS: Final = 1000
#: A peer that says nothing for this long is asked whether it lives, and dropped after another half of it.
KEEPALIVE_S: Final = 20.0
#: From the connection to the first frames of HTTP/2, TLS included.
HANDSHAKE_S: Final = 20.0
#: The longest path of a unix socket that Linux takes.
MOST_SOCKET_PATH_BYTES: Final = 107
_UNIX: Final = "unix:"


class RpcServer:
    """A gRPC server on one address.

    Args:
        address: `unix:/path`, or `host:port` where port 0 means any free one.
        interceptors: what wraps every call, in the order that `Interceptors` declares.
        credentials: TLS; None for none, which only a unix socket or a test should have.
        most_message_bytes: refuse larger messages with RESOURCE_EXHAUSTED.
        most_streams: calls under way on one connection; further ones wait in the client.
        keepalive_s: a peer that says nothing for this long is asked whether it lives.
        reflection: answer questions about the services' protos.
    """

    def __init__(
        self,
        address: str,
        *,
        interceptors: Interceptors | None = None,
        credentials: grpc.ServerCredentials | None = None,
        most_message_bytes: int = EDGE_MESSAGE_BYTES,
        most_streams: int = MOST_STREAMS,
        keepalive_s: float = KEEPALIVE_S,
        reflection: bool = True,
        ids: IdSource | None = None,
    ) -> None:
        self._requested = address
        self._credentials = credentials
        self._reflection = reflection
        self._health: Any = None
        self._services: list[str] = []
        self._address = ""
        self._stopping: asyncio.Task[None] | None = None
        self._observation = LateObservation()
        self.grpc_server = grpc.aio.server(
            interceptors=(self._observation, *(interceptors or Interceptors()).in_order(ids=ids)),
            options=_options(most_message_bytes, most_streams, keepalive_s),
        )
        self._note_services()

    def observed_by(self, observation: RpcObservation) -> None:
        """Have every call counted and traced, outside of all interceptors."""
        self._observation.target = observation

    @property
    def address(self) -> str:
        """Where it listens, with the real port; a target for `open_channel`. Empty before `start`."""
        return self._address

    def _note_services(self) -> None:
        """Learn the names of the services from what generated code registers."""
        register = self.grpc_server.add_registered_method_handlers

        def noting(service_name: str, method_handlers: Any) -> None:
            self._services.append(service_name)
            register(service_name, method_handlers)

        self.grpc_server.add_registered_method_handlers = noting  # type: ignore[method-assign]  # the only way to hear the names

    async def start(self) -> str:
        """Listen and serve; returns the address. Raises InvalidArgument, Unavailable when it cannot be had."""
        from grpc_health.v1 import health, health_pb2_grpc

        services = list(self._services)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc_server)
        if self._reflection:
            self._enable_reflection(services)
        self._address = self._listen()
        await self.grpc_server.start()
        await self._set_health(["", *services], serving=True)
        return self._address

    async def withdraw(self) -> None:
        """Say NOT_SERVING from now on, whatever is said later, and go on serving until `stop`."""
        if self._health is not None:
            await self._health.enter_graceful_shutdown()

    async def stop(self, grace_s: float = 5.0) -> None:
        """Say NOT_SERVING, refuse new calls, let running ones end within `grace_s`, then cancel them. Idempotent."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(grace_s))
        await asyncio.shield(self._stopping)

    async def _stop(self, grace_s: float) -> None:
        await self.withdraw()
        await self.grpc_server.stop(grace_s)
        if self._address.startswith(_UNIX):
            with suppress(FileNotFoundError):
                Path(self._address.removeprefix(_UNIX)).unlink()

    async def set_health(self, service: str, *, serving: bool) -> None:
        """Change what the health service says of one service, or of the whole with an empty name."""
        await self._set_health([service], serving=serving)

    async def _set_health(self, services: Sequence[str], *, serving: bool) -> None:
        from grpc_health.v1 import health_pb2

        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for service in services:
            await self._health.set(service, status)

    def _enable_reflection(self, services: Sequence[str]) -> None:
        from grpc_health.v1 import health
        from grpc_reflection.v1alpha import reflection

        names = [*services, health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, self.grpc_server)

    def _listen(self) -> str:
        if self._requested.startswith(_UNIX):
            return self._bind(_prepared_socket(self._requested))
        host, separator, port = self._requested.rpartition(":")
        if not separator or not port.isdecimal():
            raise InvalidArgument(
                "a server address is unix:/path or host:port", reason="SERVER_ADDRESS", field="address"
            )
        return self._bind(self._requested, host=host)

    def _bind(self, address: str, *, host: str | None = None) -> str:
        try:
            if self._credentials is None:
                port = self.grpc_server.add_insecure_port(address)
            else:
                port = self.grpc_server.add_secure_port(address, self._credentials)
        except RuntimeError as error:
            raise Unavailable(f"the address {address} cannot be listened on", reason="ADDRESS_IN_USE") from error
        return address if host is None else f"{host}:{port}"


def _prepared_socket(address: str) -> str:
    """Check the path of a unix socket, and make the folder it lies in."""
    path = Path(address.removeprefix(_UNIX)).absolute()
    if len(bytes(path)) > MOST_SOCKET_PATH_BYTES:
        raise InvalidArgument(
            f"the socket path {path} is too long",
            reason="SOCKET_PATH",
            field="address",
            limit=f"{MOST_SOCKET_PATH_BYTES} bytes",
            mend="Choose a shorter folder.",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"{_UNIX}{path}"


def _options(most_message_bytes: int, most_streams: int, keepalive_s: float) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", most_message_bytes),
        ("grpc.max_send_message_length", max(most_message_bytes, EDGE_ANSWER_BYTES)),
        ("grpc.max_concurrent_streams", most_streams),
        ("grpc.keepalive_time_ms", int(keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(min(keepalive_s, KEEPALIVE_S / 2) * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        # Clients may ask as often as we do, and a little more often for the inexactness of timers.
        ("grpc.http2.min_ping_interval_without_data_ms", int(min(keepalive_s * 500, 5000))),
        # Room for a credential that is too large to be told so; the rest of the metadata is small.
        ("grpc.max_metadata_size", 24 * 1024),
        ("grpc.absolute_max_metadata_size", 32 * 1024),
        # Whoever connects and says nothing holds a file of this process.
        ("grpc.server_handshake_timeout_ms", int(HANDSHAKE_S * 1000)),
        ("grpc.so_reuseport", 0),
    ]
