"""What connects a process of the reuse pool to the rest of the world, and fails when that process is dead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.state.fleet.life import Life

from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.cluster.memory import MemoryCluster, MemoryWorker
from flyteplane.cluster.ports import (
    ClusterCapacity,
    ClusterHealth,
    PodConstraints,
    WorkerChannel,
    WorkerExit,
    WorkerProgress,
    WorkerSink,
    WorkerSpec,
)
from flyteplane.foundation.errors import Unavailable
from flyteplane.reuse_pool.application.ports import PoolStore
from flyteplane.rpc.inprocess import InProcessServer


class PodCluster(MemoryCluster):
    """Pods that outlive whoever started them; `began` is called with each new one."""

    def __init__(
        self,
        *,
        contact_s: float,
        began: Callable[[MemoryWorker], None],
        within_reach: Callable[[str], Awaitable[None]],
    ) -> None:
        super().__init__(name="pods", outlives_owner=True, contact_s=contact_s)
        self._began = began
        self._within_reach = within_reach

    async def start(self, spec: WorkerSpec, sink: WorkerSink) -> None:
        """See the port."""
        is_new = spec.name not in self.workers
        await super().start(spec, sink)
        if is_new:
            self._began(self.workers[spec.name])

    async def stop(self, name: str, *, grace_s: float) -> None:
        """See the port. What is cut off does not hear of it."""
        await self._within_reach(name)
        await super().stop(name, grace_s=grace_s)


class _LivingSink:
    """Tells a process of its workers for as long as it lives."""

    def __init__(self, sink: WorkerSink, life: Life) -> None:
        self._sink = sink
        self._life = life

    def opened(self, name: str, channel: WorkerChannel) -> None:
        """See the port."""
        self._life.do(lambda: self._sink.opened(name, channel))

    def received(self, name: str, reports: Sequence[Any]) -> None:
        """See the port."""
        self._life.do(lambda: self._sink.received(name, reports))

    def output(self, name: str, data: bytes) -> None:
        """See the port."""

    def progress(self, progress: WorkerProgress) -> None:
        """See the port."""
        self._life.do(lambda: self._sink.progress(progress))

    def exited(self, exit: WorkerExit) -> None:
        """See the port."""
        self._life.do(lambda: self._sink.exited(exit))


class ClusterLine:
    """One process's way to the cluster. Implements `Cluster`."""

    name = "pods"
    kind = "memory"
    outlives_owner = True

    def __init__(self, inner: PodCluster, life: Life) -> None:
        self._inner = inner
        self._life = life
        self.contact_s = inner.contact_s

    def capacity(self) -> ClusterCapacity:
        """See the port."""
        return self._inner.capacity()

    def health(self) -> ClusterHealth:
        """See the port."""
        return self._inner.health()

    def refuse_unfit(self, task: TaskSpec, constraints: PodConstraints) -> None:
        """See the port."""

    async def start(self, spec: WorkerSpec, sink: WorkerSink) -> None:
        """See the port."""
        await self._life.effect(lambda: self._inner.start(spec, _LivingSink(sink, self._life)), name="start")

    async def adopt(self, name: str, sink: WorkerSink) -> bool:
        """See the port."""
        return await self._life.effect(lambda: self._inner.adopt(name, _LivingSink(sink, self._life)), name="adopt")

    async def others(self, known: Collection[str]) -> Sequence[str]:
        """See the port."""
        return await self._inner.others(known)

    async def stop(self, name: str, *, grace_s: float) -> None:
        """See the port."""
        await self._life.effect(lambda: self._inner.stop(name, grace_s=grace_s), name="stop")

    def let_go(self, *, replicas: bool = False) -> None:
        """See the port."""
        if not self._life.dead:
            self._inner.let_go(replicas=replicas)

    async def close(self) -> None:
        """See the port."""


class RegisterLine:
    """One process's way to the register: what it writes may be its last. Passes everything on to a `PoolStore`."""

    def __init__(self, inner: PoolStore, life: Life) -> None:
        self._inner = inner
        self._life = life

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def passed_on(*arguments: Any, **named: Any) -> Any:
            return await self._life.effect(lambda: method(*arguments, **named), name=name)

        return passed_on


class _Call:
    """A call over a connection that may break."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._broken = False

    def break_off(self) -> None:
        """The connection breaks: both ends are told, each in its own time."""
        self._broken = True
        self._inner.cancel()

    def cancel(self) -> None:
        """As of the call itself, like those that follow."""
        self._inner.cancel()

    def done(self) -> bool:
        return bool(self._inner.done())

    async def write(self, message: Any) -> None:
        with self._translated():
            await self._inner.write(message)

    async def done_writing(self) -> None:
        with self._translated():
            await self._inner.done_writing()

    async def __aiter__(self) -> AsyncIterator[Any]:
        with self._translated():
            async for message in self._inner:
                yield message

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except asyncio.CancelledError:
            if not self._broken:
                raise
            raise Unavailable("the connection is broken") from None


class Switch:
    """A channel whose calls go to whichever server is the present one; breaks them when that changes."""

    def __init__(self) -> None:
        self._server: InProcessServer | None = None
        self._calls: list[_Call] = []

    def point(self, server: InProcessServer | None) -> None:
        """From now on calls go there, or nowhere."""
        self._server = server
        self.break_calls()

    def break_calls(self) -> None:
        """The connections under way break."""
        calls, self._calls = self._calls, []
        for call in calls:
            call.break_off()

    def stream_stream(self, method: str, *_: Any, **__: Any) -> Callable[[], _Call]:
        """As generated stubs use it."""

        def start() -> _Call:
            if self._server is None:
                raise Unavailable("nobody leads", reason="NO_LEADER")
            call = _Call(self._server.channel().stream_stream(method)())
            self._calls = [*(call for call in self._calls if not call.done()), call]
            return call

        return start

    unary_unary = unary_stream = stream_unary = stream_stream
