"""The members of the etcd cluster, and which of them calls go to.

Each member has a channel of its own. Calls go to one member for as long as it works; a member that failed is passed
over for the next. A call is only begun on a channel that is connected, so that to fail to connect is never ambiguous.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc

from etcdserverpb.auth_pb2_grpc import AuthStub
from etcdserverpb.kv_pb2_grpc import KVStub
from etcdserverpb.lease_pb2_grpc import LeaseStub
from etcdserverpb.maintenance_pb2_grpc import MaintenanceStub
from etcdserverpb.watch_pb2_grpc import WatchStub
from flyteplane.coordination.etcd.errors import unavailable
from flyteplane.coordination.etcd.settings import EtcdSettings, address_of

if TYPE_CHECKING:
    from etcdserverpb.auth_pb2_grpc import AuthAsyncStub
    from etcdserverpb.kv_pb2_grpc import KVAsyncStub
    from etcdserverpb.lease_pb2_grpc import LeaseAsyncStub
    from etcdserverpb.maintenance_pb2_grpc import MaintenanceAsyncStub
    from etcdserverpb.watch_pb2_grpc import WatchAsyncStub

_OPTIONS: Final = (
    # Members limit requests themselves; a mirror's backlog may be large.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # etcd disconnects who pings more often than every 5 seconds.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # A watch sends nothing for hours, and still has to notice that its member is gone.
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Otherwise channels to one address share a connection, and with it its back-off.
    ("grpc.use_local_subchannel_pool", 1),
    # A proxy for the web has no business between us and the store.
    ("grpc.enable_http_proxy", 0),
)


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A member of the cluster and the stubs that call it."""

    endpoint: str
    channel: grpc.aio.Channel
    auth: "AuthAsyncStub"
    kv: "KVAsyncStub"
    lease: "LeaseAsyncStub"
    maintenance: "MaintenanceAsyncStub"
    watch: "WatchAsyncStub"

    @property
    def connected(self) -> bool:
        """Whether the channel is connected; begins to connect when it is idle."""
        return self.channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY


class Members:
    """All members, one of which is preferred."""

    def __init__(self, settings: EtcdSettings) -> None:
        credentials = _credentials(settings) if settings.secure else None
        self._members = [_member(endpoint, credentials) for endpoint in settings.endpoints]
        self._preferred = 0
        self._failed: Member | None = None

    @property
    def all(self) -> Sequence[Member]:
        """Every member, in the order of the settings."""
        return self._members

    async def connected(self, *, within_s: float) -> Member:
        """A member that is connected: the preferred one if it is, else the first to be.

        Raises:
            Unavailable: none was in time.
        """
        order = self._members[self._preferred :] + self._members[: self._preferred]
        if order[0].connected:
            return order[0]
        # The one that failed last may still be connected and yet answer nobody, so it comes only after the others.
        trusted = [member for member in order if member is not self._failed] or order
        for candidates in (trusted, order):
            found = await _first_connected(candidates, within_s / 2)
            if found is not None:
                self._preferred = self._members.index(found)
                return found
        raise unavailable(f"no connection to {', '.join(member.endpoint for member in order)}")

    def avoid(self, member: Member) -> None:
        """Prefer another member from now on, because this one has failed; the only one stays."""
        self._failed = member
        if self._members[self._preferred] is member:
            self._preferred = (self._preferred + 1) % len(self._members)

    async def close(self) -> None:
        """Disconnect; calls that wait are cancelled."""
        for member in self._members:
            await member.channel.close()


async def _first_connected(members: Sequence[Member], within_s: float) -> Member | None:
    if (connected := next((member for member in members if member.connected), None)) is not None:
        return connected
    waits = {asyncio.ensure_future(member.channel.channel_ready()): member for member in members}
    try:
        done, _ = await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return next((waits[wait] for wait in waits if wait in done), None)


def _member(endpoint: str, credentials: grpc.ChannelCredentials | None) -> Member:
    address = address_of(endpoint)
    if credentials is None:
        channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
    else:
        channel = grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
    return Member(
        endpoint=endpoint,
        channel=channel,
        auth=AuthStub(channel),
        kv=KVStub(channel),
        lease=LeaseStub(channel),
        maintenance=MaintenanceStub(channel),
        watch=WatchStub(channel),
    )


def _credentials(settings: EtcdSettings) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=settings.ca_file.read_bytes() if settings.ca_file else None,
        private_key=settings.key_file.read_bytes() if settings.key_file else None,
        certificate_chain=settings.cert_file.read_bytes() if settings.cert_file else None,
    )
