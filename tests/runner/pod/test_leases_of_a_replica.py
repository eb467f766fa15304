"""Whatever orders, reports and breaks come in whatever order: each attempt of a replica begins once and ends once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from flyte.runner.pod.endings import CannotRun
from flyte.runner.pod.outbox import Outbox
from flyte.runner.pod.replica import PodReplica
from flyteapi.scheduler.v1.worker_service_pb2 import (
    Assign,
    AttemptEnded,
    AttemptStarted,
    Cancel,
    DeclareTask,
    Drain,
    EndAccepted,
    LeaseRevoked,
    WorkerOrder,
    WorkerReport,
)

MOST: Final = 3
#: What happens most often in the life of an attempt comes up more often.
KINDS = ("assign", "code", "end", "arrive", "accept") * 2 + ("no code", "late", "cancel", "revoke", "break", "drain")
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(min_value=1, max_value=MOST)), min_size=20, max_size=60)


class Code:
    """Bundles that come, or do not, when the test says so; asked for by an attempt's token."""

    def __init__(self) -> None:
        self.asked: dict[int, asyncio.Future[str]] = {}

    async def prepare(self, _task: Any, client: Any) -> str:
        self.asked[client] = asyncio.get_running_loop().create_future()
        return await self.asked[client]


class Data:
    """Clients that are the number in the token."""

    def of_attempt(self, token: str) -> int:
        return int(token)


class Silent:
    """Nobody reads the container's log."""

    def write(self, data: bytes) -> None:
        """See `Tee`."""


class World:
    """A replica between a pool and a worker that are lists."""

    def __init__(self) -> None:
        self.code = Code()
        self.outbox = Outbox()
        self.given: list[int] = []
        self.known: set[bytes] = set()
        self.at_work: set[int] = set()
        self.held: set[int] = set()
        """By the pool."""
        self.used: set[int] = set()
        """Leases are never used again."""
        self.gone: set[int] = set()
        """Taken back, or accepted."""
        self.cancelled: set[int] = set()
        """Before they began."""
        self.ends: Counter[int] = Counter()
        self.drained = False
        given: Any = {
            "tee": Silent(),
            "data": Data(),
            "bundles": self.code,
            "signal_worker": lambda number: None,
            "read_output": lambda: None,
            "hurry": lambda: None,
            "leave": lambda code: None,
        }
        self.replica = PodReplica(token="t", outbox=self.outbox, tell_worker=self.worker_hears, **given)

    def worker_hears(self, orders: Iterable[WorkerOrder]) -> None:
        for order in orders:
            match order.WhichOneof("order"):
                case "declare_task":
                    self.known.add(order.declare_task.digest)
                case "assign":
                    assert not self.drained, "given after the order to finish"
                    assert order.assign.task_digest in self.known
                    assert order.lease not in self.given
                    assert order.lease not in self.gone | self.cancelled
                    self.given.append(order.lease)
                    self.at_work.add(order.lease)
                case "cancel" if order.lease in self.at_work:
                    self.worker_ends(order.lease)
                case "lease_revoked":
                    self.at_work.discard(order.lease)
                case "drain":
                    self.drained = True

    def worker_ends(self, lease: int) -> None:
        self.at_work.discard(lease)
        self.replica.heard([WorkerReport(lease=lease, ended=AttemptEnded())])

    def pool_hears(self) -> None:
        """All that waits is written to the present stream, and read."""
        while self.outbox.has_unwritten:
            for report in self.outbox.take():
                if report.HasField("ended") and report.lease in self.held:
                    self.ends[report.lease] += 1

    async def step(self, kind: str, lease: int) -> None:
        """One thing happens."""
        tell = self.replica.told
        if kind == "assign" and (lease not in self.used or lease in self.held):
            self.used.add(lease)
            self.held.add(lease)
            digest = b"odd" if lease % 2 else b"even"
            task, assign = DeclareTask(digest=digest), Assign(task_digest=digest, attempt_token=str(lease))
            tell([WorkerOrder(declare_task=task), WorkerOrder(lease=lease, assign=assign)])
        elif kind in ("code", "no code") and (asked := self.code.asked.get(lease)) is not None and not asked.done():
            if kind == "code":
                asked.set_result("/code")
            else:
                asked.set_exception(CannotRun("there is none", code="BUNDLE_NOT_FOUND"))
        elif kind == "end" and lease in self.at_work:
            self.replica.heard([WorkerReport(lease=lease, started=AttemptStarted())])
            self.worker_ends(lease)
        elif kind == "late" and lease in self.given and lease not in self.at_work:
            # It was taken back, or has ended: nothing more is to be said.
            waiting = len(self.outbox._reports)
            self.replica.heard([WorkerReport(lease=lease, started=AttemptStarted())])
            assert len(self.outbox._reports) == waiting
        elif kind == "accept" and self.ends[lease] and lease in self.held:
            self.let_go(lease)
            tell([WorkerOrder(lease=lease, end_accepted=EndAccepted())])
        elif kind == "cancel":
            self.cancelled |= {lease} & (self.held - set(self.given))
            tell([WorkerOrder(lease=lease, cancel=Cancel(reason="asked to"))])
        elif kind == "revoke" and lease in self.held:
            self.let_go(lease)
            tell([WorkerOrder(lease=lease, lease_revoked=LeaseRevoked())])
        elif kind == "break":
            self.outbox.rewind()
            assert set(self.replica.hello().running) == self.held
            assert all(report.lease in self.held for report in self.outbox._reports if report.lease)
        elif kind == "arrive":
            self.pool_hears()
            self.outbox.mark(1)
            self.outbox.acknowledge(1)
        elif kind == "drain":
            tell([WorkerOrder(drain=Drain())])
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def let_go(self, lease: int) -> None:
        self.held.discard(lease)
        self.gone.add(lease)


async def play(steps: list[tuple[str, int]]) -> None:
    """Plays the steps, then lets everything come to its end."""
    world = World()
    obeying = asyncio.ensure_future(world.replica.obey())
    await asyncio.sleep(0)
    draining = False
    for kind, lease in steps:
        draining = draining or kind == "drain"
        # A pool gives nothing to a replica that it has asked to finish.
        if kind != "assign" or not draining or lease in world.held:
            await world.step(kind, lease)
    for lease in range(1, MOST + 1):
        for kind in ("code", "end", "break", "arrive"):
            await world.step(kind, lease)
    for lease in set(world.held):
        assert world.ends[lease], f"{lease} has no end"
        await world.step("accept", lease)
    assert not world.replica.hello().running
    assert not world.at_work
    assert world.drained is draining
    assert not obeying.done()
    obeying.cancel()
    await asyncio.gather(obeying, return_exceptions=True)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_each_attempt_begins_at_most_once_and_its_end_is_said_until_it_is_accepted(
    steps: list[tuple[str, int]],
) -> None:
    asyncio.run(play(steps))
