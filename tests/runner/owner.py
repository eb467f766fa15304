"""The side that places workers, small enough for tests: it keeps what workers say and answers what they need
answered.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flyte.types.codecs import codec_for
from flyteapi.common.v1.identity_pb2 import RunId
from flyteapi.common.v1.phase_pb2 import PHASE_SUCCEEDED
from flyteapi.scheduler.v1.worker_service_pb2 import (
    ActionResult,
    Assign,
    AttemptEnded,
    Cancel,
    DeclareRun,
    DeclareTask,
    Drain,
    EndAccepted,
    LeaseRevoked,
    SubmitAction,
    WorkerOrder,
    WorkerReport,
)
from flyteapi.task.v1.task_spec_pb2 import Entrypoint, TaskSpec
from flyteapi.task.v1.value_pb2 import NamedValues, Payload
from flyteplane.cluster.ports import WorkerChannel, WorkerExit, WorkerProgress

RUN_KEY = "demo/development/run1"


def encode(**values: Any) -> bytes:
    """Serialised values, each as its own type says."""
    message = NamedValues()
    for name, value in values.items():
        codec_for(type(value)).write(message.values.add(name=name).value, value)
    return message.SerializeToString()


def decode(data: bytes, annotation: Any = Any) -> list[Any]:
    """The values of outputs, in order."""
    return [codec_for(annotation).read(named.value) for named in NamedValues.FromString(data).values]


class Owner:
    """A `WorkerSink` for one worker.

    Args:
        children: answers a call of a child; None leaves calls unanswered.
        accept_ends: whether ends are accepted at once.
    """

    def __init__(
        self, *, children: Callable[[SubmitAction], ActionResult | None] | None = None, accept_ends: bool = True
    ) -> None:
        self.children = children
        self.accept_ends = accept_ends
        self.channel: WorkerChannel | None = None
        self.reports: list[WorkerReport] = []
        self.batches: list[int] = []
        self.raw_output = b""
        self.exit: WorkerExit | None = None
        self.exits = 0
        self._changed = asyncio.Condition()
        self._lease = 1 << 40

    def opened(self, name: str, channel: WorkerChannel) -> None:
        self.channel = channel

    def received(self, name: str, reports: Sequence[WorkerReport]) -> None:
        self.batches.append(len(reports))
        self.reports.extend(reports)
        orders = [order for report in reports for order in self._answers(report)]
        if orders:
            self.send(*orders)
        self._wake()

    def progress(self, progress: WorkerProgress) -> None:
        """See the port."""

    def output(self, name: str, data: bytes) -> None:
        self.raw_output += data
        self._wake()

    def exited(self, exit: WorkerExit) -> None:
        self.exit = exit
        self.exits += 1
        self._wake()

    def _answers(self, report: WorkerReport) -> list[WorkerOrder]:
        if report.HasField("ended") and self.accept_ends:
            return [WorkerOrder(lease=report.lease, end_accepted=EndAccepted())]
        if report.HasField("submit") and self.children is not None:
            result = self.children(report.submit)
            if result is not None:
                result.call = report.submit.call
                return [WorkerOrder(lease=report.lease, result=result)]
        return []

    def _wake(self) -> None:
        async def notify() -> None:
            async with self._changed:
                self._changed.notify_all()

        self._waker = asyncio.ensure_future(notify())

    def send(self, *orders: WorkerOrder) -> None:
        """Sends orders as one batch."""
        assert self.channel is not None
        self.channel.send(orders)

    async def until(self, condition: Callable[[], Any], *, within_s: float = 20.0) -> Any:
        """Waits until `condition` holds, and returns what it gave."""
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(condition)
            return condition()

    async def gone(self) -> WorkerExit:
        """The worker's end."""
        await self.until(lambda: self.exit is not None)
        assert self.exit is not None
        return self.exit

    def assign(
        self,
        attribute: str,
        inputs: bytes | Payload = b"",
        *,
        bundle: Path,
        module: str = "user_code",
        is_async: bool = True,
        spec: Mapping[str, Any] | None = None,
        run: Mapping[str, Any] | None = None,
        action: str = "a0",
        attempt: int = 1,
        entrypoint: Entrypoint | None = None,
        lease: int = 0,
        **assign: Any,
    ) -> int:
        """Assigns an attempt of a task in a module of the bundle folder; returns its lease."""
        self._lease += 0 if lease else 1
        task = TaskSpec(
            name=f"env.{attribute}",
            entrypoint=entrypoint or Entrypoint(bundle_digest="b" * 64, module=module, attribute=attribute),
            is_async=is_async,
            **(spec or {}),
        )
        digest = hashlib.sha256(task.SerializeToString(deterministic=True)).digest()
        declared = {"data_prefix": f"file://{bundle.parent}/data/", **(run or {})}
        self.send(
            WorkerOrder(declare_task=DeclareTask(digest=digest, spec=task, bundle_path=str(bundle))),
            WorkerOrder(
                declare_run=DeclareRun(
                    run=RunId(project="demo", domain="development", name="run1"), key=RUN_KEY, **declared
                )
            ),
            WorkerOrder(
                lease=lease or self._lease,
                assign=Assign(
                    run=RUN_KEY,
                    action=action,
                    attempt=attempt,
                    task_digest=digest,
                    inputs=inputs if isinstance(inputs, Payload) else Payload(inline=inputs),
                    **assign,
                ),
            ),
        )
        return lease or self._lease

    def answer(self, lease: int, call: SubmitAction, result: ActionResult) -> None:
        """Gives a call its result."""
        result.call = call.call
        self.send(WorkerOrder(lease=lease, result=result))

    def accept(self, lease: int) -> None:
        """Accepts the end of an attempt."""
        self.send(WorkerOrder(lease=lease, end_accepted=EndAccepted()))

    def cancel(self, lease: int, reason: str = "asked to") -> None:
        """Cancels an attempt."""
        self.send(WorkerOrder(lease=lease, cancel=Cancel(reason=reason)))

    def revoke(self, lease: int) -> None:
        """Takes an attempt away."""
        self.send(WorkerOrder(lease=lease, lease_revoked=LeaseRevoked(reason="placed elsewhere")))

    def drain(self) -> None:
        """Asks a replica to finish."""
        self.send(WorkerOrder(drain=Drain()))

    async def end_of(self, lease: int) -> AttemptEnded:
        """How an attempt ended."""
        found: AttemptEnded = await self.until(lambda: self.ended(lease))
        return found

    def ended(self, lease: int) -> AttemptEnded | None:
        """How an attempt ended, if it has."""
        for report in self.reports:
            if report.lease == lease and report.HasField("ended"):
                return report.ended
        return None

    def said(self, kind: str) -> list[Any]:
        """Everything of one kind that the worker said."""
        return [getattr(report, kind) for report in self.reports if report.HasField(kind)]  # type: ignore[arg-type]

    def logged(self, lease: int | None = None, *, stderr: bool | None = None) -> str:
        """Captured output of an attempt."""
        return b"".join(
            report.log.data
            for report in self.reports
            if report.HasField("log")
            and (lease is None or report.lease == lease)
            and (stderr is None or report.log.is_stderr is stderr)
        ).decode()


def succeeded(**outputs: Any) -> ActionResult:
    """The result of a child that returned something."""
    return ActionResult(phase=PHASE_SUCCEEDED, outputs=Payload(inline=encode(**outputs)))
