"""Task versions that living runs use, by digest: parsed once, checked once, stored once.

A version that no living action uses is kept for a while, in case it comes back, and then forgotten: an override makes a
version of its own, so there may be as many as there are actions. Before it is forgotten it is stored, because a worker
declares it once and may call it hours later; it is read back then.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from flyte.spec.digests import interface_digest
from flyte.spec.task_rules import refuse_invalid_task
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.cluster.demand import worker_demand
from flyteplane.foundation.errors import InvalidArgument, PlatformError
from flyteplane.observe import get_logger
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.application.living import TaskRecord
from flyteplane.scheduler.domain.failures import Failure, FailureKind
from flyteplane.scheduler.domain.queueing.classes import Demand

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.worker_service_pb2 import WorkerReport
    from flyteplane.scheduler.application.ports import Records

_log = get_logger("scheduler.tasks")

#: Versions that are kept though no living action may use them: a few kilobytes each.
MOST_IDLE: Final = 2_048


class Tasks:
    """The registry of task versions.

    Args:
        store: has a version stored that is not yet, and calls back once that is durable.
        most_idle: versions that are kept though no living action may use them.
    """

    def __init__(
        self,
        *,
        records: Records,
        store: Callable[[TaskRecord, Callable[[], None]], None],
        most_idle: int = MOST_IDLE,
    ) -> None:
        self._records = records
        self._store = store
        self._most_idle = most_idle
        self._recent: OrderedDict[bytes, TaskRecord] = OrderedDict()
        """The one that was used last at its end."""
        self._used: WeakValueDictionary[bytes, TaskRecord] = WeakValueDictionary()
        """All that anybody holds, living actions above all."""
        self._leaving: dict[bytes, TaskRecord] = {}
        """On their way to the store, from which they can be read then."""

    def get(self, digest: bytes) -> TaskRecord | None:
        """A version that was declared before; None if it was forgotten since, or never declared."""
        record = self._used.get(digest)
        if record is not None:
            self._keep(record)
        return record

    def declare(self, digest: bytes, spec: TaskSpec) -> TaskRecord:
        """Takes a version in. One that breaks a rule is taken in with its refusal, which its actions are answered
        with. Raises InvalidArgument for a digest that is not that of the task."""
        known = self.get(digest)
        if known is not None:
            return known
        if hashlib.sha256(spec.SerializeToString(deterministic=True)).digest() != digest:
            raise InvalidArgument("the digest is not that of the task", field="task_digest")
        record = self._parse(digest, spec)
        try:
            self._check(record)
        except PlatformError as error:
            record.refusal = Failure(
                kind=FailureKind.REFUSED, code=error.reason, message=error.public_text, recoverable=False
            )
        self._used[digest] = record
        self._keep(record)
        return record

    def declared(self, report: WorkerReport) -> None:
        """Handles a worker's DeclareTask. One under a false digest is dropped, or it would stand in the way of the task
        that the digest belongs to; calls of it are refused as undeclared."""
        try:
            self.declare(report.declare_task.digest, report.declare_task.spec)
        except InvalidArgument as error:
            _log.warning("task_declared_under_false_digest", problem=str(error))

    async def load(self, digest: bytes) -> TaskRecord:
        """A version from the store. Raises KeyError if it is not there."""
        known = self.get(digest)
        if known is not None:
            return known
        stored = await self._records.task(digest)
        if stored is None:
            raise KeyError(digest.hex())
        record = self.declare(digest, TaskSpec.FromString(stored))
        record.stored = True
        return record

    def _keep(self, record: TaskRecord) -> None:
        """The version is used now; the one that was not used for longest may go."""
        recent = self._recent
        recent[record.digest] = record
        recent.move_to_end(record.digest)
        if len(recent) <= self._most_idle:
            return
        _, oldest = recent.popitem(last=False)
        if not oldest.stored:
            self._leaving[oldest.digest] = oldest
            self._store(oldest, lambda: self._left(oldest))

    def _left(self, record: TaskRecord) -> None:
        self._leaving.pop(record.digest, None)

    def _parse(self, digest: bytes, spec: TaskSpec) -> TaskRecord:
        return TaskRecord(
            digest=digest,
            spec=spec,
            policy=wire.policy_of(spec),
            demand=Demand(*worker_demand(spec)),
            interface_digest=interface_digest(spec.interface),
        )

    def _check(self, record: TaskRecord) -> None:
        """What is wrong wherever the task might run. What depends on queues, classes and clusters is asked for each
        submit, because operators change them."""
        try:
            refuse_invalid_task(record.spec)
        except (ValueError, TypeError) as error:
            raise InvalidArgument(str(error), field="task") from error
