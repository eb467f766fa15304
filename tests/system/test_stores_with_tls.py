"""A platform whose PostgreSQL, etcd and object store speak TLS only, and ask it for certificates where they can.

What is wrong with a certificate is told by the setting that names it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support import processes
from tests.support.certificates import Certificates, make_certificates
from tests.support.deployment import ServiceUnderTest
from tests.support.etcd import EtcdServer, require_etcd
from tests.support.ledger import Ledger
from tests.support.postgres import PostgresServer, make_server
from tests.support.s3 import S3Server
from tests.system.conftest import PROGRAMS
from tests.system.programs import kept

import flyte
from flyte.client.init import set_settings
from flyteplane.foundation.errors import FailedPrecondition, PermissionDenied, PlatformError, Unavailable
from flyteplane.launcher.__main__ import main
from flyteplane.objects.s3 import S3ObjectStore
from flyteplane.records import open_database


@dataclass(frozen=True, slots=True)
class Stores:
    """All three, and whose certificates they believe."""

    certificates: Certificates
    postgres: PostgresServer
    etcd: EtcdServer
    s3: S3Server
    database: str

    def url(self, certificates: Certificates | None = None, **changes: Path | None) -> str:
        """Where the records are, shown the certificate and believing the authority of `certificates`."""
        made = certificates or self.certificates
        files = {"sslrootcert": made.ca_file, "sslcert": made.client.cert_file, "sslkey": made.client.key_file}
        given = {name: path for name, path in {**files, **changes}.items() if path is not None}
        parameters = "".join(f"&{name}={path}" for name, path in given.items())
        port = self.postgres.settings["port"]
        return f"postgresql://flyteplane@127.0.0.1:{port}/{self.database}?sslmode=verify-full{parameters}"

    def operator_file(self, path: Path) -> Path:
        """An operator's file that names all of them, and leaves migrating to the job."""
        etcd = self.etcd.settings()
        files = {name: str(getattr(etcd, name)) for name in ("ca_file", "cert_file", "key_file")}
        sections = {
            "coordination": {"etcd": {"endpoints": list(etcd.endpoints), **files}},
            "services": {"database": self.url(), "migrate": "job"},
            "objects": self.s3.operator_values("tls"),
        }
        path.write_text(json.dumps(sections))
        return path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Stores]:
    require_etcd()
    folder = tmp_path_factory.mktemp("stores")
    with (
        tempfile.TemporaryDirectory(prefix="flyteplane-pg-", dir="/tmp") as name,
        EtcdServer(folder, certificates=certificates) as etcd,
        S3Server(folder, certificates=certificates) as s3,
    ):
        postgres = make_server(Path(name))
        postgres.require_certificates(certificates)
        postgres.start()
        try:
            yield Stores(certificates, postgres, etcd, s3, postgres.create_database())
        finally:
            postgres.stop()


def test_a_run_over_stores_with_certificates(stores: Stores, tmp_path: Path, ledger: Ledger) -> None:
    config = stores.operator_file(tmp_path / "flyteplane.yaml")
    assert main(["migrate", "--config", str(config)]) == 0
    data = tmp_path / "platform"
    process = ServiceUnderTest(
        data, "all", services="admin,cache,secrets,reuse_pool,scheduler", options=["--config", str(config)]
    )
    try:
        process.start()
        flyte.init(endpoint=process.endpoint, root_dir=PROGRAMS)
        file = flyte.run(kept.finished, ledger.path, "over TLS").outputs()[0]
        assert file.path.startswith("s3://")
        assert stores.s3.keys("tls/data/")
        process.stop()
    finally:
        set_settings(None)
        processes.kill_all(data)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of an authority that nobody here knows."""
    return make_certificates(tmp_path_factory.mktemp("foreign"))


Wrong = Callable[[Stores, Certificates], str]
WRONG: dict[str, tuple[Wrong, type[PlatformError], str]] = {
    "foreign server": (lambda ours, other: ours.url(sslrootcert=other.ca_file), FailedPrecondition, "sslrootcert"),
    "foreign client": (
        lambda ours, other: ours.url(other, sslrootcert=ours.certificates.ca_file),
        Unavailable,
        "the authority of sslcert",
    ),
    "no client": (lambda ours, _: ours.url(sslcert=None, sslkey=None), PermissionDenied, "(sslcert, sslkey)"),
    "no file": (lambda ours, _: ours.url(sslcert=Path("/no.pem")), FailedPrecondition, "sslcert is wrong, /no.pem"),
    "no certificate": (
        lambda ours, _: ours.url(sslrootcert=ours.certificates.client.key_file),
        FailedPrecondition,
        "sslrootcert is wrong",
    ),
    "another's key": (
        lambda ours, other: ours.url(sslkey=other.client.key_file),
        FailedPrecondition,
        "no certificate in PEM and its key",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_is_wrong_with_a_certificate_of_the_database_is_named(
    stores: Stores, foreign: Certificates, wrong: str
) -> None:
    url, kind, said = WRONG[wrong]
    with pytest.raises(kind) as refusal:
        await open_database(url(stores, foreign), patience_s=0)
    assert said in refusal.value.public_text


async def test_what_is_wrong_with_a_certificate_of_the_object_store_is_named(
    stores: Stores, foreign: Certificates
) -> None:
    for ca_file in (foreign.ca_file, None):
        store = S3ObjectStore(stores.s3.settings(ca_file=ca_file))
        with pytest.raises(Unavailable, match=r"UnknownIssuer.*objects\.ca_file") as refusal:
            await store.check()
        assert refusal.value.reason == "STORE_CERTIFICATE"
        store.close()
    for ca_file in (foreign.client.key_file, Path("/no.pem")):
        with pytest.raises(FailedPrecondition, match=r"objects\.ca_file: /"):
            S3ObjectStore(stores.s3.settings(ca_file=ca_file))
