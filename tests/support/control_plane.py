"""The control plane of a cluster on this very machine, killed and started again the way it was started.

    control_plane = LocalControlPlane.find(kubeconfig)      # None: the cluster is elsewhere
    with control_plane.down():
        ...                                                 # nobody answers
    ...                                                     # it answers again

Kubernetes' own scheduler and controllers end themselves when the API server is away for ten seconds, and rely on
somebody who starts them again. So they are killed with it and started behind it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from tests.support import processes

_PROC: Final = Path("/proc")
_SERVER: Final = "kube-apiserver"
_FOLLOWERS: Final = ("kube-controller-manager", "kube-scheduler")
#: Waits for the end of its input and becomes the program then: it comes back whatever happens to the test.
_GUARDIAN: Final = 'read -r _; exec "$@" </dev/null'


class _Program:
    """One process that can be started again as it was."""

    def __init__(self, pid: int, words: list[str]) -> None:
        self.name = Path(words[0]).name
        self._pid = pid
        self._words = words
        self._log = (_PROC / str(pid) / "fd/1").resolve()
        self._folder = (_PROC / str(pid) / "cwd").resolve()
        self._environment = _environment(pid)
        self._guardian: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """Kill it, with somebody at hand who starts it again."""
        with self._log.open("ab") as log:
            self._guardian = subprocess.Popen(
                ["sh", "-c", _GUARDIAN, "guardian", *self._words],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
            )
        os.kill(self._pid, signal.SIGKILL)
        processes.assert_ended([self._pid])

    def start(self) -> None:
        """Start it again."""
        assert self._guardian is not None
        assert self._guardian.stdin is not None
        self._guardian.stdin.close()
        # Whoever started it first may keep its process id in a file, to stop it one day.
        noted = self._log.parent.parent / "pid" / self.name
        if noted.exists():
            noted.write_text(f"{self._guardian.pid}\n")


class LocalControlPlane:
    """A kube-apiserver that runs here as a plain process, and those that follow it."""

    def __init__(self, server: _Program, followers: list[_Program], *, kubeconfig: Path, url: str) -> None:
        self._server = server
        self._followers = followers
        self._kubeconfig = kubeconfig
        self._url = url

    @classmethod
    def find(cls, kubeconfig: Path) -> Self | None:
        """The one that a kubeconfig names; None if no process of this machine is its API server."""
        url = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        port = f"--secure-port={urlsplit(url).port}"
        running = {pid: words for pid in _pids() if (words := _words(pid))}
        servers = [pid for pid, words in running.items() if _is(words, _SERVER) and port in words]
        if not servers:
            return None
        followers = [_Program(pid, words) for pid, words in running.items() if _is(words, *_FOLLOWERS)]
        return cls(_Program(servers[0], running[servers[0]]), followers, kubeconfig=kubeconfig, url=url)

    @contextmanager
    def down(self) -> Iterator[None]:
        """Kills everything, and starts it again at the end; returns when it is ready."""
        everything = [*self._followers, self._server]
        try:
            for program in everything:
                program.kill()
            yield
        finally:
            self._server.start()
            self._await_ready()
            self._forget_leaders()
            for program in self._followers:
                program.start()

    def _await_ready(self) -> None:
        """A server that refuses connections, or says "not yet", is asked again: there is nothing to be told by."""
        again = urllib3.Retry(total=200, status_forcelist=range(400, 600), backoff_factor=0.1, backoff_max=0.5)
        with urllib3.PoolManager(cert_reqs="CERT_NONE") as pool, warnings.catch_warnings():
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
            pool.request("GET", f"{self._url}/readyz", retries=again, timeout=5)

    def _forget_leaders(self) -> None:
        """The leases of those that were killed would keep their successors waiting until they run out."""
        connect: Any = config.new_client_from_config
        leases: Any = client.CoordinationV1Api(connect(str(self._kubeconfig)))
        for program in self._followers:
            with suppress(ApiException):
                leases.delete_namespaced_lease(program.name, "kube-system")


def _is(words: list[str], *names: str) -> bool:
    return Path(words[0]).name in names


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


def _words(pid: int) -> list[str]:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _environment(pid: int) -> dict[str, str]:
    pairs = (_PROC / str(pid) / "environ").read_bytes().decode(errors="replace").split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)
