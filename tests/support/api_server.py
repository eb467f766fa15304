"""The API server of a cluster on this very machine, killed and started again the way it was started.

server = LocalApiServer.find(kubeconfig)    # None: the cluster is elsewhere
with server.down():
    ...                                     # nobody answers
...                                         # it answers again
"""

from __future__ import annotations

import os
import signal
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import urllib3
import yaml
from tests.support import processes

_PROC: Final = Path("/proc")
#: Waits for a line or the end of its input, and becomes the server then: it comes back whatever happens to the test.
_GUARDIAN: Final = 'read -r _; exec "$@" </dev/null'


class LocalApiServer:
    """A kube-apiserver that runs here as a plain process."""

    def __init__(self, pid: int, *, url: str) -> None:
        self._pid = pid
        self._url = url

    @classmethod
    def find(cls, kubeconfig: Path) -> Self | None:
        """The server that a kubeconfig names; None if no process of this machine is it."""
        url = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        port = f"--secure-port={urlsplit(url).port}"
        for entry in _PROC.iterdir():
            if entry.name.isdigit():
                words = _words(int(entry.name))
                if words and Path(words[0]).name == "kube-apiserver" and port in words:
                    return cls(int(entry.name), url=url)
        return None

    @contextmanager
    def down(self) -> Iterator[None]:
        """Kills the server, and starts it again at the end; returns when it is ready."""
        log = (_PROC / str(self._pid) / "fd/1").resolve()
        with log.open("ab") as output:
            guardian = subprocess.Popen(
                ["sh", "-c", _GUARDIAN, "guardian", *_words(self._pid)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=(_PROC / str(self._pid) / "cwd").resolve(),
                env=_environment(self._pid),
                start_new_session=True,
            )
        assert guardian.stdin is not None
        try:
            os.kill(self._pid, signal.SIGKILL)
            processes.assert_ended([self._pid])
            yield
        finally:
            guardian.stdin.close()
            self._note_down(log, guardian.pid)
        self._pid = guardian.pid
        self._await_ready()

    def _note_down(self, log: Path, pid: int) -> None:
        """Whoever started the server may keep its process id in a file."""
        for file in (log.parent.parent / "pid").glob("kube-apiserver"):
            file.write_text(f"{pid}\n")

    def _await_ready(self) -> None:
        """A server that refuses connections, or says "not yet", is asked again: there is nothing to be told by."""
        again = urllib3.Retry(total=200, status_forcelist=range(400, 600), backoff_factor=0.1, backoff_max=0.5)
        with urllib3.PoolManager(cert_reqs="CERT_NONE") as pool, warnings.catch_warnings():
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
            pool.request("GET", f"{self._url}/readyz", retries=again, timeout=5)


def _words(pid: int) -> list[str]:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _environment(pid: int) -> dict[str, str]:
    pairs = (_PROC / str(pid) / "environ").read_bytes().decode(errors="replace").split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)
