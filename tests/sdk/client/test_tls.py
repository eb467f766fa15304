"""A client and a platform that speak TLS, and what it is told when they do not agree about it."""

from __future__ import annotations

import asyncio
import datetime
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from tests.support.certificates import Authority, Identity

from flyte.authoring.logs import system_logger
from flyte.client.channel import Connection
from flyte.client.failures import may_pass
from flyte.client.settings import ClientSettings, settings_from_config
from flyte.client.tls import problem_of
from flyte.config.files import ConfigFile
from flyte.config.reading import read
from flyte.errors import InitializationError, UnionRpcError
from flyteplane.rpc.server import RpcServer


@dataclass(frozen=True)
class Edge:
    """A platform's listener for clients."""

    port: int
    ca_file: str

    @property
    def address(self) -> str:
        """The name that the certificate bears."""
        return f"localhost:{self.port}"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@asynccontextmanager
async def serving(identity: Identity | None = None, *, port: int = 0) -> AsyncIterator[int]:
    """A listener with a certificate, or without TLS; yields its port."""
    credentials = None
    if identity is not None:
        pair = (identity.key_file.read_bytes(), identity.cert_file.read_bytes())
        credentials = grpc.ssl_server_credentials([pair])
    server = RpcServer(f"127.0.0.1:{port}", credentials=credentials)
    address = await server.start()
    try:
        yield int(address.rpartition(":")[2])
    finally:
        await server.stop(0)


@pytest.fixture
async def edge(authority: Authority) -> AsyncIterator[Edge]:
    async with serving(authority.issue("edge", dns=("localhost",), addresses=())) as port:
        yield Edge(port, str(authority.ca_file))


async def ask(endpoint: str, **settings: Any) -> int:
    """The platform's answer to a call of a client with these settings."""
    connection = Connection(ClientSettings(endpoint=endpoint, rpc_timeout_s=10.0, **settings))
    try:
        stub: Any = HealthStub(connection.channel)
        answer = await connection.call(stub.Check, health_pb2.HealthCheckRequest())
        return int(answer.status)
    finally:
        await connection.close()


async def refused(endpoint: str, **settings: Any) -> str:
    """What the client is told."""
    with pytest.raises(InitializationError) as error:
        await ask(endpoint, **settings)
    assert error.value.code == "TlsError"
    return str(error.value)


@pytest.mark.parametrize("form", ["{}", "https://{}", "dns:///{}"])
async def test_an_endpoint_is_spoken_to_with_tls_however_it_is_written(edge: Edge, form: str) -> None:
    assert await ask(form.format(edge.address), ca_cert_file_path=edge.ca_file) == 1


async def test_without_verification_any_certificate_is_believed(edge: Edge) -> None:
    assert await ask(f"127.0.0.1:{edge.port}", insecure_skip_verify=True) == 1


async def test_a_certificate_of_an_unknown_authority_is_named(edge: Edge, tmp_path: Path) -> None:
    other = Authority(tmp_path)
    said = await refused(f"https://{edge.address}", ca_cert_file_path=str(other.ca_file))
    assert f"not issued by an authority in {other.ca_file}" in said
    assert "not issued by an authority that this machine knows" in await refused(f"https://{edge.address}")
    assert "caCertFilePath" in said


async def test_a_certificate_for_another_name_is_named(edge: Edge) -> None:
    said = await refused(f"https://127.0.0.1:{edge.port}", ca_cert_file_path=edge.ca_file)
    assert "is for another name" in said


async def test_an_expired_certificate_is_named(authority: Authority) -> None:
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    async with serving(authority.issue("expired", ends=yesterday)) as port:
        said = await refused(f"https://localhost:{port}", ca_cert_file_path=str(authority.ca_file))
        assert "has expired" in said
        assert "renew" in said


async def test_a_client_without_tls_is_told_that_the_server_has_it(edge: Edge) -> None:
    said = await refused(edge.address, insecure=True)
    assert "speaks TLS, and this client was told not to" in said
    assert f"https://{edge.address}" in said


async def test_a_client_with_tls_is_told_that_the_server_has_none(authority: Authority) -> None:
    async with serving() as port:
        said = await refused(f"https://localhost:{port}", ca_cert_file_path=str(authority.ca_file))
        assert "does not speak TLS" in said
        assert f"http://localhost:{port}" in said
        assert await ask(f"http://localhost:{port}") == 1


class Waiting(logging.Handler):
    """Hears that the SDK says that it waits."""

    def __init__(self) -> None:
        super().__init__()
        self.said = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        self._loop.call_soon_threadsafe(self.said.set)


async def test_a_platform_elsewhere_that_is_just_replaced_is_waited_for(authority: Authority) -> None:
    identity = authority.issue("replaced", dns=("localhost",), addresses=())
    async with serving(identity) as port:
        pass
    waiting = Waiting()
    system_logger.addHandler(waiting)
    settings = ClientSettings(endpoint=f"https://localhost:{port}", ca_cert_file_path=str(authority.ca_file))
    connection = Connection(settings)
    try:
        check: Any = HealthStub(connection.channel).Check
        answer = asyncio.ensure_future(connection.change(check, health_pb2.HealthCheckRequest()))
        await waiting.said.wait()
        async with serving(identity, port=port):
            assert (await answer).status == 1
    finally:
        system_logger.removeHandler(waiting)
        await connection.close()


async def test_a_platform_that_was_met_is_away_when_somebody_else_answers_in_its_place(
    authority: Authority, tmp_path: Path
) -> None:
    """As a load balancer does, with a certificate of its own, while nobody is behind it."""
    identity = authority.issue("met", dns=("localhost",), addresses=())
    stranger = Authority(tmp_path).issue("stranger", dns=("localhost",), addresses=())
    async with serving(identity) as port:
        settings = ClientSettings(endpoint=f"https://localhost:{port}", ca_cert_file_path=str(authority.ca_file))
        connection = Connection(settings)
        check: Any = HealthStub(connection.channel).Check
        assert (await connection.call(check, health_pb2.HealthCheckRequest())).status == 1
    try:
        async with serving(stranger, port=port):
            with pytest.raises(UnionRpcError, match="No Flyteplane platform answers") as away:
                await connection.call(check, health_pb2.HealthCheckRequest())
        assert may_pass(away.value)
        assert "not issued by an authority" in "".join(away.value.__notes__)
        async with serving(identity, port=port):
            assert (await connection.change(check, health_pb2.HealthCheckRequest())).status == 1
    finally:
        await connection.close()


async def test_a_server_that_hangs_up_is_not_said_to_lack_tls(authority: Authority) -> None:
    """As one does that is killed between connection and handshake."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        endpoint = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        settings = ClientSettings(endpoint=endpoint, ca_cert_file_path=str(authority.ca_file))
        assert await asyncio.to_thread(problem_of, settings) is None


@pytest.mark.parametrize("secure", [True, False])
async def test_a_platform_that_is_not_there_is_not_a_matter_of_tls(secure: bool) -> None:
    async with serving() as port:
        pass
    began = time.monotonic()
    with pytest.raises(UnionRpcError, match="No Flyteplane platform answers"):
        await ask(f"{'https' if secure else 'http'}://localhost:{port}")
    assert time.monotonic() - began < 8.0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        ("no certificate", "holds no certificate in PEM"),
        ("\N{SNOWMAN}", "cannot be read: it is no PEM"),
    ],
)
async def test_authorities_that_cannot_be_read_are_named(tmp_path: Path, content: str | None, words: str) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    assert words in await refused("localhost:1", ca_cert_file_path=str(file))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text("admin: {endpoint: 'dns:///flyte.example:443', caCertFilePath: ca.pem, insecureSkipVerify: true}\n")
    return file


def test_a_configuration_says_all_of_it_and_the_environment_wins(written: Path) -> None:
    environment = {"FLYTE_ADMIN_CACERTFILEPATH": "/other.pem", "FLYTE_ADMIN_INSECURESKIPVERIFY": "false"}
    said = settings_from_config(read(ConfigFile.read(written), environment={}))
    assert (said.endpoint, said.ca_cert_file_path) == ("dns:///flyte.example:443", "ca.pem")
    assert said.insecure_skip_verify
    said = settings_from_config(read(ConfigFile.read(written), environment=environment))
    assert (said.ca_cert_file_path, said.insecure_skip_verify) == ("/other.pem", False)
