"""A platform that runs as several real processes, for tests that kill them.

    with EtcdServer(tmp_path / "etcd") as etcd, Deployment(tmp_path / "platform", etcd, schedulers=2) as deployment:
        flyte.init(endpoint=deployment.endpoint)
        leader = deployment.leader()
        deployment[leader].kill()
        deployment.await_leader(other_than=leader)

One process, named "services", carries admin, cache, secrets and the reuse pool; "s1", "s2" and so on carry a scheduler
each; with `pools`, "p1", "p2" and so on carry a reuse pool each. All die with the test's own process.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support import processes
from tests.support.certificates import Authority, Identity
from tests.support.etcd import EtcdServer
from tests.support.platform import DIE_WITH_PARENT
from tests.support.processes import MARK

from flyteplane.coordination import EtcdCoordination
from flyteplane.coordination.election import leader_key
from flyteplane.foundation.clock import SystemClock
from flyteplane.leadership import shards

SERVICES: Final = "services"
CARRIED: Final = "admin,cache,secrets,reuse_pool"
_WITHOUT_POOL: Final = "admin,cache,secrets"
START_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 20.0
LEADER_WITHIN_S: Final = 40.0


class ServiceUnderTest:
    """One process of a platform; not started yet. `env` has what its environment has beside that of the test."""

    def __init__(
        self,
        data: Path,
        name: str,
        *,
        services: str,
        etcd: str = "",
        options: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self.name = name
        self.endpoint = ""
        self._env = env or {}
        self._arguments = ["--services", services, "--name", name, *(["--etcd", etcd] if etcd else []), *options]
        self._said = data.with_name(f"{data.name}-{name}-said.txt")
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = -1

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What it printed, and its log."""
        log = self.data / "processes" / self.name / "platform.log"
        return "\n".join(path.read_text() for path in (self._said, log) if path.exists())

    def launch(self) -> None:
        """Start without waiting."""
        assert not self.running, f"{self.name} runs already"
        self._ready, writing = os.pipe()
        command = [sys.executable, "-m", "flyteplane.launcher", "--data", str(self.data), "--ready-fd", str(writing)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("FLYTE_", "LC_"))}
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-c", DIE_WITH_PARENT, *command, *self._arguments],
                pass_fds=(writing,),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={**clean, **self._env, MARK: str(self.data)},
                cwd="/",
                start_new_session=True,
            )
        os.close(writing)

    def await_ready(self) -> None:
        """Return once it is ready: a scheduler then stands by or leads."""
        try:
            readable, _, _ = select.select([self._ready], [], [], START_WITHIN_S)
            assert readable, f"{self.name} is neither ready nor dead after {START_WITHIN_S:g} s: {self.log}"
            self.endpoint = os.read(self._ready, 4096).decode().strip()
        finally:
            os.close(self._ready)
        assert self.endpoint, f"{self.name} did not start: {self.log}"

    def start(self) -> None:
        """Start, and return when it is ready."""
        self.launch()
        self.await_ready()

    def kill(self) -> None:
        """Kill it without a word; returns when it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_WITHIN_S)

    def terminate(self) -> None:
        """Ask it to stop, without waiting."""
        assert self._process is not None
        self._process.terminate()

    def stop(self) -> None:
        """Ask it to stop; returns when it has. Fails if it does not end well."""
        self.terminate()
        self.await_end()

    def await_end(self) -> None:
        """Return once it has stopped. Fails if it does not end well."""
        assert self._process is not None
        assert self._process.wait(STOP_WITHIN_S) == 0, f"{self.name} did not stop well: {self.log}"

    def freeze(self) -> None:
        """Stop it where it is, so that it sees nothing of what happens next.

        Never inside a write of a database that it shares: a file's lock is not taken from a process that only sleeps,
        so everybody would wait for it. A database server ends such a session by itself.
        """
        self.freeze_anywhere()
        while any(_is_being_written(self.data / f"{service}.db") for service in ("scheduler", "reuse_pool")):
            self.thaw()
            time.sleep(0.003)
            self.freeze_anywhere()

    def freeze_anywhere(self) -> None:
        """The same, at any moment."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on as if no time had passed."""
        os.kill(self.pid, signal.SIGCONT)


def tls_section(authority: Authority) -> str:
    """The section `tls` of an operator's file, with a certificate for each listener."""
    edge = authority.issue("edge")
    mutual = {
        name: {
            **_files_of(authority.issue(name, dns=(f"flyteplane-{name}",), addresses=())),
            "ca_file": authority.ca_file,
        }
        for name in ("internal", "workers")
    }
    section = {"edge": _files_of(edge), **mutual}
    return f"tls: {json.dumps(section, default=str)}\n"


def _files_of(identity: Identity) -> dict[str, Path]:
    """A certificate as the operator's file names it."""
    return {"cert_file": identity.cert_file, "key_file": identity.key_file}


def _is_being_written(database: Path) -> bool:
    if not database.exists():
        return False
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
    return False


class Deployment:
    """A platform of several processes, started and stopped as a context manager.

    Args:
        config: text of the operator's file.
        options: further words for the command line of every process.
        options_of: and of single processes, by name.
        tls: all listen on addresses of this machine, with certificates of this authority, instead of sockets.
    """

    def __init__(
        self,
        data: Path,
        etcd: EtcdServer,
        *,
        schedulers: int = 2,
        pools: int = 0,
        config: str = "",
        options: Sequence[str] = (),
        options_of: Mapping[str, Sequence[str]] | None = None,
        tls: Authority | None = None,
    ) -> None:
        self.data = data
        self.etcd = etcd
        if tls is not None:
            config = f"{config}\n{tls_section(tls)}"
            options = [*options, "--listen", "127.0.0.1:0", "--endpoint", "127.0.0.1:0"]
        if config:
            file = data.with_name(f"{data.name}-flyteplane.yaml")
            file.write_text(config)
            options = [*options, "--config", str(file)]
        carried = {SERVICES: _WITHOUT_POOL if pools else CARRIED}
        carried.update({f"s{number}": "scheduler" for number in range(1, schedulers + 1)})
        carried.update({f"p{number}": "reuse_pool" for number in range(1, pools + 1)})
        own = options_of or {}
        self._processes = {
            name: ServiceUnderTest(
                data, name, services=services, etcd=etcd.endpoint, options=[*options, *own.get(name, ())]
            )
            for name, services in carried.items()
        }

    def __getitem__(self, name: str) -> ServiceUnderTest:
        return self._processes[name]

    @property
    def endpoint(self) -> str:
        """Where clients connect."""
        return self._processes[SERVICES].endpoint

    @property
    def schedulers(self) -> list[str]:
        """Names of the processes that carry a scheduler."""
        return [name for name in self._processes if name.startswith("s") and name != SERVICES]

    def leader(self, shard: str = shards.SCHEDULER) -> str:
        """The process that leads and serves; waits for one."""
        return self.await_leader(shard)[0]

    def await_leader(
        self, shard: str = shards.SCHEDULER, *, other_than: str = "", within_s: float = LEADER_WITHIN_S
    ) -> tuple[str, int]:
        """The process that leads and serves, and the epoch of its lead; waits until it is not `other_than`."""
        return asyncio.run(self._await_leader(shard, other_than, within_s))

    async def _await_leader(self, shard: str, other_than: str, within_s: float) -> tuple[str, int]:
        coordination = EtcdCoordination(self.etcd.settings(), clock=SystemClock())
        key = leader_key(shard)
        try:
            async with asyncio.timeout(within_s), coordination.mirror(key) as mirror:
                changes = aiter(mirror)
                while True:
                    held = mirror.snapshot.get(key)
                    name = self._at(held.value.decode()) if held is not None else ""
                    if held is not None and name and name != other_than:
                        return name, held.create_revision
                    await anext(changes)
        except TimeoutError:
            raise AssertionError(f"nobody leads {shard} after {within_s:g} s: {self.logs()}") from None
        finally:
            await coordination.close()

    def _at(self, endpoint: str) -> str:
        """The process that serves at an endpoint; empty for none."""
        return next((name for name in self._processes if endpoint and self[name].endpoint == endpoint), "")

    def takeover(self, act: str, shard: str = shards.SCHEDULER, *, within_s: float = LEADER_WITHIN_S) -> float:
        """Do something to the leader, `kill`, `terminate`, `freeze`; the seconds until another serves."""
        leader = self.leader(shard)
        began = time.monotonic()
        getattr(self[leader], act)()
        self.await_leader(shard, other_than=leader, within_s=within_s)
        return time.monotonic() - began

    def restore(self) -> None:
        """Start again what was killed and wake what was frozen; returns when all are ready."""
        gone = [process for process in self._processes.values() if not process.running]
        for process in self._processes.values():
            if process.running:
                process.thaw()
            else:
                process.launch()
        for process in gone:
            process.await_ready()

    def logs(self) -> str:
        """What all processes have said."""
        return "\n".join(f"--- {name}\n{process.log[-6000:]}" for name, process in self._processes.items())

    def assert_nothing_runs(self, *, within_s: float = 5.0) -> None:
        """Fails unless everything that ran for this platform has ended in time."""
        processes.assert_nothing_runs(self.data, within_s=within_s)

    def stop(self) -> None:
        """Ask all that live to stop; fails if one does not end well."""
        living = [process for process in self._processes.values() if process.running]
        for process in living:
            process.thaw()
            process.terminate()
        for process in living:
            process.await_end()

    def destroy(self) -> None:
        """Kill whatever runs; for the end of a test, however it went."""
        for process in self._processes.values():
            if process.running:
                process.kill()
        processes.await_end([found.pid for found in processes.processes_of(self.data)], within_s=2.0)
        processes.kill_all(self.data)

    def __enter__(self) -> Self:
        try:
            for process in self._processes.values():
                process.launch()
            for process in self._processes.values():
                process.await_ready()
        except BaseException:
            self.destroy()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()
