"""Listeners and channels with TLS: who is let in, who is not, and what happens when certificates change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from tests.support.certificates import Authority
from tests.support.log_lines import LogLines

from flyteplane.foundation.clock import ManualClock, SystemClock
from flyteplane.rpc.certificates import CertificateFiles, Certificates
from flyteplane.rpc.client import open_channel
from flyteplane.rpc.internal import internal_channel, internal_server, worker_server
from flyteplane.rpc.leader_channel import LeaderChannel
from flyteplane.rpc.server import RpcServer
from flyteplane.rpc.transport import INTERNAL_NAME, WORKERS_NAME
from flyteplane.rpc.whereabouts import Whereabouts

SERVING = health_pb2.HealthCheckResponse.SERVING


async def ask(channel: grpc.aio.Channel, *, timeout_s: float = 5.0) -> int:
    """The platform's answer to a call."""
    # The published types of this stub do not know asyncio channels.
    stub: Any = HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
    return int(answer.status)


async def refusal(channel: grpc.aio.Channel) -> grpc.aio.AioRpcError:
    """Why a call over the channel fails."""
    async with channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask(channel)
    return refused.value


def process(authority: Authority, name: str = INTERNAL_NAME, *, clock: Any = None) -> Certificates:
    """The certificates of a process, under its own file name."""
    made = authority.issue(name, dns=(name,), addresses=())
    files = CertificateFiles(cert_file=made.cert_file, key_file=made.key_file, ca_file=authority.ca_file)
    return Certificates(files, clock=clock or SystemClock())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def certificates(authority: Authority) -> Certificates:
    return process(authority)


@pytest.fixture
async def server(certificates: Certificates) -> AsyncIterator[RpcServer]:
    """The internal listener of a process."""
    server = internal_server("127.0.0.1:0", certificates=certificates)
    await server.start()
    yield server
    await server.stop(0)


async def test_processes_of_a_platform_call_each_other_wherever_they_are(
    server: RpcServer, certificates: Certificates
) -> None:
    async with internal_channel(server.address, certificates=certificates) as channel:
        assert await ask(channel) == SERVING


async def test_who_has_no_certificate_is_refused(server: RpcServer, authority: Authority) -> None:
    credentials = grpc.ssl_channel_credentials(authority.ca_file.read_bytes())
    refused = await refusal(open_channel(server.address, credentials=credentials, server_name=INTERNAL_NAME))
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    assert (await refusal(open_channel(server.address))).code() is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_of_another_authority_is_refused_on_both_sides(server: RpcServer, tmp_path: Path) -> None:
    stranger = process(Authority(tmp_path))
    refused = await refusal(internal_channel(server.address, certificates=stranger))
    assert refused.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_that_is_not_that_of_a_process_is_refused(server: RpcServer, authority: Authority) -> None:
    other = process(authority, "some-other-service")
    refused = await refusal(internal_channel(server.address, certificates=other))
    assert refused.code() is grpc.StatusCode.UNAUTHENTICATED
    assert INTERNAL_NAME in str(refused.details())


async def test_a_server_that_is_not_a_process_of_the_platform_is_not_called(
    authority: Authority, certificates: Certificates
) -> None:
    impostor = internal_server("127.0.0.1:0", certificates=process(authority, "some-other-service"))
    refused = await refusal(internal_channel(await impostor.start(), certificates=certificates))
    await impostor.stop(0)
    assert refused.code() is grpc.StatusCode.UNAVAILABLE


async def test_sockets_need_no_certificates(tmp_path: Path, certificates: Certificates) -> None:
    server = internal_server(f"unix:{tmp_path}/s.sock", certificates=certificates)
    async with internal_channel(await server.start(), certificates=certificates) as channel:
        assert await ask(channel) == SERVING
    await server.stop(0)


async def test_workers_need_none_and_check_the_name_of_the_listener(authority: Authority) -> None:
    server = worker_server("127.0.0.1:0", certificates=process(authority, WORKERS_NAME))
    address = await server.start()
    credentials = grpc.ssl_channel_credentials(authority.ca_file.read_bytes())
    async with open_channel(address, credentials=credentials, server_name=WORKERS_NAME) as channel:
        assert await ask(channel) == SERVING
    refused = await refusal(open_channel(address, credentials=credentials, server_name="another"))
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    await server.stop(0)


async def test_an_authority_is_changed_under_way(tmp_path: Path) -> None:
    """Listener and channels take the new files; a call that is under way is not disturbed."""
    clock = ManualClock(start=SystemClock().now())
    certificates = process(Authority(tmp_path), clock=clock)
    server = internal_server("127.0.0.1:0", certificates=certificates)
    channel = LeaderChannel(
        Whereabouts("cache", await server.start()),
        connect=lambda address: internal_channel(address, certificates=certificates),
        certificates=certificates.current_lately,
    )
    stub: Any = HealthStub(channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=""))
    assert (await watch.read()).status == SERVING
    old = internal_channel(server.address, certificates=certificates)
    process(Authority(tmp_path))
    clock.advance(1.0)
    assert await ask(channel) == SERVING
    # Whoever still has only the old ones is no longer let in.
    assert (await refusal(old)).code() is grpc.StatusCode.UNAVAILABLE
    await server.set_health("", serving=False)
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    watch.cancel()
    await channel.close()
    await server.stop(0)


async def test_a_log_says_why_another_process_cannot_be_reached(
    server: RpcServer, tmp_path: Path, log_lines: LogLines
) -> None:
    stranger = process(Authority(tmp_path))
    channel = LeaderChannel(
        Whereabouts("cache", server.address), connect=lambda address: internal_channel(address, certificates=stranger)
    )
    for _ in range(2):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask(channel, timeout_s=1.0)
        assert "CERTIFICATE" not in str(refused.value.details())
    await channel.close()
    (line,) = log_lines.all("service_cannot_be_reached")
    assert (line["service"], line["address"]) == ("cache", server.address)
    assert "CERTIFICATE_VERIFY_FAILED" in line["problem"]
