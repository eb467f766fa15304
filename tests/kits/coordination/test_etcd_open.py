"""Opening says what is wrong with which endpoint, and what to do about it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.certificates import Certificates, make_certificates
from tests.support.etcd import EtcdServer, free_ports, require_etcd

from flyteplane.coordination import EtcdCoordination, EtcdSettings
from flyteplane.foundation.clock import SystemClock
from flyteplane.foundation.errors import PermissionDenied, Unauthenticated, Unavailable


async def use(settings: EtcdSettings) -> None:
    """Write, read and mirror once."""
    coordination = await EtcdCoordination.open(settings, clock=SystemClock())
    try:
        async with coordination.mirror("") as mirror:
            await coordination.put("a", b"1")
            (change,) = await asyncio.wait_for(anext(aiter(mirror)), 30)
            assert change.current == await coordination.get("a")
            lease = await coordination.grant(5)
            assert await coordination.keep_alive(lease) == 5
            await coordination.revoke(lease)
    finally:
        await coordination.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[EtcdServer]:
    require_etcd()
    with EtcdServer(tmp_path_factory.mktemp("secure"), certificates=certificates) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    """Knows the user `ours`, password `right`, who may use the keys below /ours/."""
    require_etcd()
    with EtcdServer(tmp_path_factory.mktemp("guarded")) as server:
        server.require_users({"ours": "right"}, prefix="/ours/")
        yield server


def password(folder: Path, text: str) -> Path:
    file = folder / "password"
    file.write_text(text + "\n")
    return file


async def test_an_endpoint_where_nobody_listens_is_named() -> None:
    (port,) = free_ports(1)
    with pytest.raises(Unavailable) as raised:
        await use(EtcdSettings(endpoints=(f"127.0.0.1:{port}",)))
    assert f"127.0.0.1:{port}: nobody listens there" in raised.value.message
    assert raised.value.field == "endpoints"
    assert raised.value.mend


async def test_an_endpoint_that_never_answers_is_given_up() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(Unavailable) as raised:
            await use(EtcdSettings(endpoints=(f"127.0.0.1:{port}",), timeout_s=0.3))
    assert "no answer in time" in raised.value.message


async def test_one_endpoint_that_works_is_enough(server: EtcdServer) -> None:
    dead = [f"127.0.0.1:{port}" for port in free_ports(2)]
    await use(server.settings(endpoints=(dead[0], server.endpoint, dead[1])))


async def test_tls_with_a_certificate_of_ours_works(secure: EtcdServer) -> None:
    await use(secure.settings())


async def test_a_server_that_another_authority_signed_is_refused(secure: EtcdServer, tmp_path: Path) -> None:
    other = make_certificates(tmp_path)
    with pytest.raises(Unavailable) as raised:
        await use(secure.settings(ca_file=other.ca_file))
    assert f"{secure.endpoint}: its certificate is not signed by ca_file" in raised.value.message


async def test_a_server_that_wants_a_certificate_is_not_used_without_or_with_that_of_another_authority(
    secure: EtcdServer, certificates: Certificates, tmp_path: Path
) -> None:
    other = make_certificates(tmp_path).client
    without = EtcdSettings(endpoints=(secure.endpoint,), ca_file=certificates.ca_file)
    for settings in (without, replace(without, cert_file=other.cert_file, key_file=other.key_file)):
        with pytest.raises(Unavailable) as raised:
            await use(settings)
        assert secure.endpoint in raised.value.message
        assert "cert_file" in raised.value.message


async def test_a_server_that_wants_tls_is_not_used_without(secure: EtcdServer) -> None:
    with pytest.raises(Unavailable) as raised:
        await use(EtcdSettings(endpoints=(secure.endpoint.replace("https", "http"),)))
    assert "does it want TLS?" in raised.value.message


async def test_a_user_with_the_right_password_may_use_the_prefix(guarded: EtcdServer, tmp_path: Path) -> None:
    await use(guarded.settings(username="ours", password_file=password(tmp_path, "right"), prefix="/ours/"))


async def test_a_wrong_password_is_refused(guarded: EtcdServer, tmp_path: Path) -> None:
    with pytest.raises(Unauthenticated) as raised:
        await use(guarded.settings(username="ours", password_file=password(tmp_path, "wrong"), prefix="/ours/"))
    assert "password_file" in raised.value.mend


async def test_no_password_is_refused(guarded: EtcdServer) -> None:
    with pytest.raises(Unauthenticated):
        await use(guarded.settings(prefix="/ours/"))


async def test_a_prefix_of_others_is_refused(guarded: EtcdServer, tmp_path: Path) -> None:
    with pytest.raises(PermissionDenied) as raised:
        await use(guarded.settings(username="ours", password_file=password(tmp_path, "right"), prefix="/theirs/"))
    assert "prefix" in raised.value.mend


async def test_a_password_for_a_store_that_asks_for_none_does_no_harm(server: EtcdServer, tmp_path: Path) -> None:
    await use(server.settings(username="ours", password_file=password(tmp_path, "right")))
