"""A scheduler with one real placement, and stand-ins for what that needs from the outside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.scheduler.harness import LikeProcesses, MemoryCache, ScriptedWorkers, settle

from flyte.spec.digests import task_digest
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.foundation.clock import ManualClock
from flyteplane.scheduler.application.intake import NewRun
from flyteplane.scheduler.application.ports import Bearer, Placement, RunKey
from flyteplane.scheduler.application.scheduler import Parts, Scheduler
from flyteplane.scheduler.clients.pool_stream import PoolStream
from flyteplane.scheduler.domain.phases import ROOT, Phase
from flyteplane.scheduler.domain.state import ActionState
from flyteplane.scheduler.store.log_files import LogFiles
from flyteplane.scheduler.store.memory_administration import MemoryAdministration
from flyteplane.scheduler.store.memory_records import MemoryRecords

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import SecretRequest, TaskSpec
    from flyteplane.cluster.ports import Cluster
    from flyteplane.scheduler.application.living import Action

KEY = RunKey("project", "domain", "r1")


class Secrets:
    """A secrets service: one value for everything, or an error."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked: list[str] = []
        self.bearers: list[Bearer] = []

    async def resolve(
        self, token: str, requests: Sequence[SecretRequest], *, bearer: Bearer
    ) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        """See the port."""
        self.asked.append(token)
        self.bearers.append(bearer)
        if self.error is not None:
            raise self.error
        return {request.env_var: b"hidden" for request in requests}, {}

    async def versions(self, run: RunKey, requests: Sequence[SecretRequest]) -> Sequence[tuple[int, str]]:
        """See the port."""
        if self.error is not None:
            raise self.error
        return [(3, "org") for _ in requests]


class Bundles:
    """Unpacks code bundles when the test lets it."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.ready.set()
        self.unpacked: list[str] = []

    async def path(self, digest: str) -> str:
        """Folder of a bundle."""
        await self.ready.wait()
        self.unpacked.append(digest)
        return f"/bundles/{digest}"


class Stage:
    """One scheduler after another on one store, each with the placement that `make` makes for it."""

    def __init__(
        self,
        folder: Path,
        make: Callable[[Stage], Mapping[str, Placement]],
        *,
        clusters: Sequence[Cluster] | None = None,
    ) -> None:
        self.clusters = clusters or [LikeProcesses()]
        self.clock = ManualClock()
        self.secrets = Secrets()
        self.bundles = Bundles()
        self.failures: list[BaseException] = []
        self.scheduler: Scheduler
        self.placements: Mapping[str, Placement]
        self._folder = folder
        self._records = MemoryRecords()
        self._make = make

    async def start(self) -> None:
        """Starts a scheduler."""
        parts = Parts(
            records=self._records.open(),
            logs=LogFiles(self._folder / "logs"),
            cache=MemoryCache(),
            clock=self.clock,
            administration=MemoryAdministration(self._records).open(),
            clusters=self.clusters,
            pool_clusters=[cluster.name for cluster in self.clusters],
        )
        self.scheduler = Scheduler(parts, on_failure=self.failures.append)
        others = ScriptedWorkers()
        self.placements = {"fresh": others, "pool": others, **self._make(self)}
        await self.scheduler.start(epoch=1, placements=self.placements)
        for placement in self.placements.values():
            if isinstance(placement, PoolStream):
                placement.start()
        await settle()

    async def close(self) -> None:
        """Stops the scheduler as an operator does."""
        for placement in self.placements.values():
            await placement.close()
        await self.scheduler.close()
        assert not self.failures

    async def submit(
        self, spec: TaskSpec, *, name: str = "r1", inputs: bytes = b"", settings: RunSettings | None = None
    ) -> None:
        """Hands a run in."""
        key = RunKey("project", "domain", name)
        new = NewRun(
            key=key,
            digest=task_digest(spec),
            task=spec,
            inputs=inputs,
            inputs_digest=b"",
            settings=settings or RunSettings(),
        )
        await self.scheduler.intake.accept_run(new)
        await settle()

    async def advance(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)
        await settle()

    def action(self, name: str = ROOT) -> Action:
        """A living action of run r1."""
        return self.scheduler.engine.runs[KEY].actions[name]

    def state(self, name: str = ROOT) -> ActionState:
        """Where a living action stands."""
        return self.action(name).state

    async def phase(self, name: str = ROOT) -> Phase:
        """The stored phase of an action of run r1."""
        return Phase((await self.scheduler.queries.get(KEY, name)).action.phase)

    async def error_code(self, name: str = ROOT) -> str:
        """The stored error of an action of run r1."""
        return (await self.scheduler.queries.get(KEY, name)).action.error.code

    def token(self, run: RunKey, action: str, attempt: int, lease: int, secrets: Sequence[SecretRequest]) -> str:
        """Makes the token of an attempt."""
        return f"{run}/{action}/{attempt}"
