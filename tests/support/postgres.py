"""A real PostgreSQL for tests: one server for each worker of pytest, one empty database for each test.

The server keeps its files in a temporary folder, listens on a socket there and nowhere else, and never flushes its
disk. As it refuses to run as root, root runs it as the user `postgres`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from tests.support.certificates import Certificates
from tests.support.etcd import free_ports

#: Where Debian keeps the programs of its PostgreSQL, the newest version last.
_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
_USER = "flyteplane"
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "autovacuum": "off",
    "max_wal_size": "128MB",
}


@dataclass(slots=True)
class PostgresServer:
    """A server that runs. Databases are made from an empty template in UTF-8 that sorts by code point."""

    programs: Path
    folder: Path
    settings: dict[str, str] = field(default_factory=lambda: dict(_SETTINGS))
    _numbers: Iterator[int] = field(default_factory=count)

    def initialise(self) -> None:
        """Make the server's files."""
        if os.geteuid() == 0:
            shutil.chown(self.folder, _system_user())
        options = ["--username", _USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
        self._run("initdb", "-D", str(self._data), *options)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = [f"-c {name}='{value}'" for name, value in self.settings.items()]
        options.append(f"-c unix_socket_directories='{self.folder}'")
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-l", log, "-w", "-t", "60", "-o", " ".join(options), "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server: `fast` as an administrator does it, `immediate` like a crash."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def create_database(self) -> str:
        """A new empty database; its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 STRATEGY file_copy', database="postgres")
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', database="postgres")

    def url(self, database: str, **parameters: str) -> str:
        """The URL of a database, for `open_database`."""
        more = "".join(f"&{name}={value}" for name, value in parameters.items())
        return f"postgresql://{_USER}@/{database}?host={self.folder}{more}"

    def execute(self, statement: str, *, database: str) -> str:
        """Run a statement as the superuser; its rows, unaligned."""
        options = [
            "-h",
            str(self.folder),
            "-p",
            self.settings.get("port", "5432"),
            "-U",
            _USER,
            "-d",
            database,
            "-X",
            "-q",
            "-A",
            "-t",
        ]
        return self._run("psql", *options, "-v", "ON_ERROR_STOP=1", "-c", statement).strip()

    def require_certificates(self, certificates: Certificates) -> None:
        """Listen on this machine's address as well, there with TLS only, and let in who shows a certificate.

        To be called before `start`.
        """
        (port,) = free_ports(1)
        files = {"ssl_ca_file": certificates.ca_file, "ssl_cert_file": certificates.server.cert_file}
        for setting, file in {**files, "ssl_key_file": certificates.server.key_file}.items():
            own = self._data / f"{setting}.pem"
            shutil.copy(file, own)
            own.chmod(0o600)
            if os.geteuid() == 0:
                shutil.chown(own, _system_user())
            self.settings[setting] = own.name
        self.settings |= {"listen_addresses": "127.0.0.1", "port": str(port), "ssl": "on"}
        rules = self._data / "pg_hba.conf"
        rules.write_text("local all all trust\nhostssl all all 127.0.0.1/32 trust clientcert=verify-ca\n")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: str) -> str:
        # By a program of its own, not by this process between fork and exec: gRPC's threads may not survive a fork.
        as_user = ["setpriv", f"--reuid={_system_user()}", "--clear-groups"] if os.geteuid() == 0 else []
        # A server keeps the streams of pg_ctl open for as long as it runs, so its output goes to a file.
        with tempfile.TemporaryFile() as output:
            command = [*as_user, str(self.programs / program), *arguments]
            done = subprocess.run(command, stdout=output, stderr=output, cwd=self.folder, timeout=90)
            output.seek(0)
            said = output.read().decode()
        if done.returncode:
            raise AssertionError(f"{program} failed: {said}")
        return said


def _system_user() -> str:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise AssertionError("no user to run the server as")


def make_server(folder: Path) -> PostgresServer:
    """A server in an empty folder, not started; skips the test where PostgreSQL is not installed."""
    if not _FOLDERS:
        pytest.skip("PostgreSQL is not installed below /usr/lib/postgresql")
    server = PostgresServer(programs=_FOLDERS[-1], folder=folder)
    server.initialise()
    return server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server that tests share; those that stop it make one of their own."""
    # Short, as the path of a socket has little room, and open to the user that the server runs as.
    with tempfile.TemporaryDirectory(prefix="flyteplane-pg-", dir="/tmp") as name:
        server = make_server(Path(name))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


def database_url(kind: str, *, request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of a new database of a kind: `memory`, `sqlite` or `postgres`."""
    if kind == "memory":
        return "sqlite://"
    if kind == "sqlite":
        return f"sqlite:///{folder}/records.db"
    url: str = request.getfixturevalue("postgres_url")
    return url
