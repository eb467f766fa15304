"""A real etcd in a folder of a test: one member or several, killed and started again, with TLS, with users.

    require_etcd()
    with EtcdServer(tmp_path) as server:
        settings = server.settings()
        server.kill()               # as the kernel would: no word to anybody
        server.start()              # on the same data and the same port

Needs the program `etcd`, which Debian has in the package `etcd-server`; a test that cannot find it is skipped.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import pytest
from tests.support.certificates import Certificates

from flyteplane.coordination.etcd.settings import EtcdSettings

START_WITHIN_S: Final = 30.0
#: Shorter than by default: a member leads itself soon after its start, and leases of one second exist.
_TIMING: Final = ("--heartbeat-interval=50", "--election-timeout=500")


def require_etcd() -> None:
    """Skip the test where there is no etcd."""
    if shutil.which("etcd") is None:
        pytest.skip("there is no etcd here; install the Debian package etcd-server")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]
    finally:
        for item in sockets:
            item.close()


class EtcdServer:
    """One member; by itself a cluster of one.

    Args:
        folder: for data and log.
        certificates: makes the member speak TLS and ask clients for a certificate.
    """

    def __init__(
        self,
        folder: Path,
        *,
        certificates: Certificates | None = None,
        name: str = "alone",
        ports: tuple[int, int] | None = None,
        cluster: Mapping[str, int] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.certificates = certificates
        self._name = name
        client_port, self._peer_port = ports or tuple(free_ports(2))
        self._cluster = cluster or {name: self._peer_port}
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self.endpoint = f"{'https' if certificates else 'http'}://127.0.0.1:{client_port}"

    @property
    def data(self) -> Path:
        return self.folder / f"{self._name}.etcd"

    def settings(self, **changes: Any) -> EtcdSettings:
        """Settings that reach this server."""
        files = {}
        if (made := self.certificates) is not None:
            files = {"ca_file": made.ca_file, "cert_file": made.client.cert_file, "key_file": made.client.key_file}
        return EtcdSettings(**{"endpoints": (self.endpoint,), **files, **changes})

    def start(self) -> None:
        """Start and return once it serves clients."""
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        """Start without waiting."""
        self._ready = threading.Event()
        # A test run that is killed must not leave servers behind.
        command = ["setpriv", "--pdeathsig", "KILL", "etcd", *self._arguments()]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.folder)
        assert self._process.stderr is not None
        self._reader = threading.Thread(target=self._read_log, args=(self._process.stderr, self._ready), daemon=True)
        self._reader.start()

    def await_ready(self) -> None:
        """Return once it serves clients."""
        assert self._ready.wait(START_WITHIN_S), f"etcd does not start: {self._log.read_text()[-3000:]}"
        assert self._process is not None
        assert self._process.poll() is None, f"etcd has ended: {self._log.read_text()[-3000:]}"

    def kill(self) -> None:
        """Kill it as the kernel would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it, whatever state it is in."""
        self.resume()
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it hang: connections stay open and nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self) -> None:
        """Let it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Throw its data away, as after a restore from an empty backup. It must not run."""
        shutil.rmtree(self.data)

    def call(self, path: str, **request: Any) -> dict[str, Any]:
        """Call etcd's JSON gateway, for what our own client does not do: `call("kv/compaction", revision=7)`."""
        body = json.dumps(request).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/v3/{path}", body), timeout=10) as answer:
            decoded: dict[str, Any] = json.load(answer)
        return decoded

    def compact(self, revision: int) -> None:
        """Forget all revisions before this one."""
        self.call("kv/compaction", revision=revision, physical=True)

    def require_users(self, users: Mapping[str, str], *, prefix: str) -> None:
        """Make everyone authenticate. These users, name to password, may use the keys below `prefix`."""
        self.call("auth/user/add", name="root", password="of-root")
        self.call("auth/user/grant", user="root", role="root")
        self.call("auth/role/add", name="client")
        self.call("auth/role/grant", name="client", perm=_permission(prefix))
        for name, password in users.items():
            self.call("auth/user/add", name=name, password=password)
            self.call("auth/user/grant", user=name, role="client")
        self.call("auth/enable")

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _log(self) -> Path:
        return self.folder / f"{self._name}.log"

    def _arguments(self) -> list[str]:
        peer = f"http://127.0.0.1:{self._peer_port}"
        cluster = ",".join(f"{name}=http://127.0.0.1:{port}" for name, port in self._cluster.items())
        arguments = [
            f"--name={self._name}",
            f"--data-dir={self.data}",
            f"--listen-client-urls={self.endpoint}",
            f"--advertise-client-urls={self.endpoint}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster={cluster}",
            "--logger=zap",
            *_TIMING,
            *self._options,
        ]
        if (made := self.certificates) is not None:
            arguments += [
                f"--cert-file={made.server.cert_file}",
                f"--key-file={made.server.key_file}",
                f"--trusted-ca-file={made.ca_file}",
                "--client-cert-auth",
            ]
        return arguments

    def _read_log(self, lines: IO[bytes], ready: threading.Event) -> None:
        with lines, self._log.open("ab", buffering=0) as log:
            for line in lines:
                log.write(line)
                if b"client traffic" in line or b"client requests" in line:
                    ready.set()
        ready.set()

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            assert self._reader is not None
            self._reader.join()
            self._process = None


class EtcdCluster:
    """Several members of one cluster."""

    def __init__(self, folder: Path, *, size: int = 3) -> None:
        ports = free_ports(2 * size)
        names = [f"member-{number}" for number in range(size)]
        cluster = dict(zip(names, ports[size:], strict=True))
        self.members = [
            EtcdServer(folder, name=name, ports=(client, cluster[name]), cluster=cluster)
            for name, client in zip(names, ports, strict=False)
        ]

    def settings(self, **changes: Any) -> EtcdSettings:
        """Settings that name every member."""
        return EtcdSettings(**{"endpoints": tuple(member.endpoint for member in self.members), **changes})

    def __enter__(self) -> Self:
        for member in self.members:
            member.launch()
        for member in self.members:
            member.await_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self.members:
            member.stop()


def _permission(prefix: str) -> dict[str, str]:
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return {"permType": "READWRITE", "key": _encoded(prefix), "range_end": _encoded(end)}


def _encoded(key: str) -> str:
    return base64.b64encode(key.encode()).decode()
