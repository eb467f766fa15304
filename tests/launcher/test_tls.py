"""A platform whose listeners have certificates, and certificates with which it does not start."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from tests.support.certificates import Authority, Identity

from flyte.client.channel import Connection
from flyte.client.settings import settings_from_config
from flyte.config import Config
from flyte.spec.tls_names import WORKERS_NAME
from flyteapi.admin.v1.identity_service_pb2 import WhoAmIRequest
from flyteplane.foundation.clock import SystemClock
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.launcher import tls_settings
from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.launcher.platform import Platform
from flyteplane.launcher.settings import PlatformSettings
from flyteplane.launcher.tls_settings import TlsSettings
from flyteplane.launcher.transport import Transport
from flyteplane.rpc.client import open_channel
from flyteplane.rpc.transport import INTERNAL_NAME


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def named(made: Identity, authority: Authority | None = None) -> tls_settings.Identity:
    """A certificate as the operator's file names it."""
    ca_file = authority.ca_file if authority is not None else None
    return tls_settings.Identity(cert_file=made.cert_file, key_file=made.key_file, ca_file=ca_file)


async def health(address: str, authority: Authority, *, name: str = "") -> int:
    """What a listener says of itself to somebody who trusts the authority."""
    credentials = grpc.ssl_channel_credentials(authority.ca_file.read_bytes())
    async with open_channel(address, credentials=credentials, server_name=name) as channel:
        # The published types of this stub do not know asyncio channels.
        stub: Any = HealthStub(channel)
        return int((await stub.Check(health_pb2.HealthCheckRequest(), timeout=10)).status)


async def test_clients_and_workers_are_listened_to_with_tls(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = TlsSettings(
        edge=named(authority.issue("edge")),
        workers=named(authority.issue("workers", dns=(WORKERS_NAME,), addresses=()), authority),
    )
    data = tmp_path / "platform"
    settings = PlatformSettings(
        data=data, endpoint="127.0.0.1:0", worker_listen="127.0.0.1:0", operator=OperatorFile(tls=tls)
    )
    platform = await Platform.open(settings)
    try:
        assert platform.endpoint.startswith("https://127.0.0.1:")
        assert json.loads((data / "platform.json").read_text())["endpoint"] == platform.endpoint
        assert await health(platform.endpoint.removeprefix("https://"), authority) == 1
        assert await health(platform.worker_address, authority, name=WORKERS_NAME) == 1
        await assert_clients_of_this_machine_need_not_be_told(platform, data, monkeypatch)
        for address in (platform.endpoint.removeprefix("https://"), platform.worker_address):
            async with open_channel(address) as channel:
                stub: Any = HealthStub(channel)
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
                assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        await platform.close()


async def assert_clients_of_this_machine_need_not_be_told(
    platform: Platform, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYTE_PLATFORM_DATA", str(data))
    settings = settings_from_config(Config())
    assert settings.endpoint == platform.endpoint
    connection = Connection(settings)
    try:
        answer = await connection.call(connection.identity.WhoAmI, WhoAmIRequest(), timeout_s=10)
    finally:
        await connection.close()
    assert answer.subject
    elsewhere = settings_from_config(Config(), endpoint="https://flyte.example:443")
    assert elsewhere.ca_cert_file_path is None


async def test_a_platform_does_not_start_with_a_certificate_that_nobody_would_take(
    tmp_path: Path, authority: Authority
) -> None:
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    expired = named(authority.issue("edge", ends=yesterday))
    settings = PlatformSettings(
        data=tmp_path / "platform", endpoint="127.0.0.1:0", operator=OperatorFile(tls=TlsSettings(edge=expired))
    )
    with pytest.raises(InvalidArgument) as refusal:
        await Platform.open(settings)
    assert (refusal.value.reason, refusal.value.field) == ("TLS", "tls.edge.cert_file")
    assert f"{expired.cert_file} has expired at" in refusal.value.message


def test_certificates_between_machines_say_what_their_holder_is(authority: Authority) -> None:
    plain = named(authority.issue("process"), authority)
    for section, name, tls in (
        ("internal", INTERNAL_NAME, TlsSettings(internal=plain)),
        ("workers", WORKERS_NAME, TlsSettings(workers=plain)),
    ):
        with pytest.raises(InvalidArgument, match=f"does not bear the DNS name '{name}'") as refusal:
            Transport.open(tls, clock=SystemClock())
        assert refusal.value.field == f"tls.{section}.cert_file"


def test_a_process_reads_no_certificate_that_it_does_not_listen_with(tmp_path: Path) -> None:
    nothing = tls_settings.Identity(cert_file=tmp_path / "x", key_file=tmp_path / "x", ca_file=tmp_path / "x")
    tls = TlsSettings(edge=nothing, workers=nothing)
    assert Transport.open(tls.needed_by(["cache", "secrets"]), clock=SystemClock()) == Transport()
    for services, field in ((["admin"], "tls.edge.cert_file"), (["scheduler"], "tls.workers.cert_file")):
        with pytest.raises(InvalidArgument, match="No such file") as refusal:
            Transport.open(tls.needed_by(services), clock=SystemClock())
        assert refusal.value.field == field


def test_metrics_say_when_certificates_expire(authority: Authority) -> None:
    tomorrow = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(days=1)
    tls = TlsSettings(edge=named(authority.issue("edge", ends=tomorrow)))
    (reading,) = Transport.open(tls, clock=SystemClock()).readings()
    assert (reading.name, reading.labels) == ("certificate_expires", {"listener": "edge"})
    assert reading.value == tomorrow.timestamp()
