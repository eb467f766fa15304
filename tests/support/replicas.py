"""A platform as a cluster runs it: two processes of each service, no folder that they share, stores beside them.

    with Replicas(folder, etcd, config=...) as replicas:
        flyte.init(endpoint=replicas["edge1"].endpoint)
        replicas[replicas.leader("admin")].kill()

"edge1" and "edge2" carry admin, cache and secrets, "work1" and "work2" scheduler and reuse pool. Each keeps its files
in a folder of its own, as in a pod.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support import processes
from tests.support.deployment import LEADER_WITHIN_S, ServiceUnderTest
from tests.support.etcd import EtcdServer, free_ports

from flyteplane.coordination import EtcdCoordination
from flyteplane.coordination.election import leader_key
from flyteplane.foundation.clock import SystemClock
from flyteplane.launcher.elections import ELECTED

CARRIED: Final[Mapping[str, str]] = {
    "edge1": "admin,cache,secrets",
    "edge2": "admin,cache,secrets",
    "work1": "scheduler,reuse_pool",
    "work2": "scheduler,reuse_pool",
}


class Replicas:
    """The processes, started and stopped as a context manager.

    Args:
        config: the operator's file, which names the stores and the folder of keys.
    """

    def __init__(self, folder: Path, etcd: EtcdServer, *, config: Path) -> None:
        self._etcd = etcd
        ports = iter(free_ports(2 * len(CARRIED)))
        self.internal = {name: f"127.0.0.1:{next(ports)}" for name in CARRIED}
        self.metrics = {name: f"127.0.0.1:{next(ports)}" for name in CARRIED}
        self._processes = {
            name: ServiceUnderTest(
                folder / name,
                name,
                services=services,
                etcd=etcd.endpoint,
                options=[
                    *("--config", str(config), "--listen", self.internal[name], "--advertise", self.internal[name]),
                    *("--metrics-listen", self.metrics[name]),
                ],
            )
            for name, services in CARRIED.items()
        }

    def __getitem__(self, name: str) -> ServiceUnderTest:
        return self._processes[name]

    def leader(self, service: str, *, other_than: str = "", within_s: float = LEADER_WITHIN_S) -> str:
        """The process that leads and serves a service; waits until there is one, and it is not `other_than`."""
        return asyncio.run(self._leader(leader_key(ELECTED[service]), other_than, within_s))

    async def _leader(self, key: str, other_than: str, within_s: float) -> str:
        coordination = EtcdCoordination(self._etcd.settings(), clock=SystemClock())
        names = {address: name for name, address in self.internal.items()}
        try:
            async with asyncio.timeout(within_s), coordination.mirror(key) as mirror:
                changes = aiter(mirror)
                while True:
                    held = mirror.snapshot.get(key)
                    name = names.get(held.value.decode(), "") if held is not None else ""
                    if name and name != other_than:
                        return name
                    await anext(changes)
        except TimeoutError:
            raise AssertionError(f"nobody leads {key} after {within_s:g} s: {self.logs()}") from None
        finally:
            await coordination.close()

    def health(self, name: str, path: str) -> tuple[int, str]:
        """What a process answers to `/live` or `/ready`: status and text."""
        try:
            with urllib.request.urlopen(f"http://{self.metrics[name]}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def logs(self) -> str:
        """What all processes have said."""
        return "\n".join(f"--- {name}\n{process.log[-6000:]}" for name, process in self._processes.items())

    def restart(self, name: str) -> None:
        """Ask one to stop, which it has to do well, and start it again."""
        self[name].stop()
        self[name].start()

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

    def destroy(self) -> None:
        """Kill whatever runs; for the end of a test, however it went."""
        for process in self._processes.values():
            if process.running:
                process.kill()
            processes.kill_all(process.data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()


def operator_file(path: Path, *, database: str, keys: Path, objects: str) -> Path:
    """Write the operator's file of such a platform.

    Args:
        objects: its section `objects`, as text.
    """
    services = {"database": database, "keys": str(keys), "migrate": "job", "lease_seconds": 5, "drain_seconds": 2}
    path.write_text(f"services: {json.dumps(services)}\n{objects}")
    return path
