"""Task versions that living runs use, by digest: parsed once, checked once, stored once."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from flyte.spec.digests import interface_digest
from flyte.spec.task_rules import refuse_invalid_task
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.cluster.demand import worker_demand
from flyteplane.foundation.errors import InvalidArgument, PlatformError
from flyteplane.scheduler.application import wire
from flyteplane.scheduler.application.living import TaskRecord
from flyteplane.scheduler.domain.failures import Failure, FailureKind
from flyteplane.scheduler.domain.queueing.classes import Demand

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.worker_service_pb2 import WorkerReport
    from flyteplane.scheduler.application.ports import Records

_log = logging.getLogger("flyteplane.scheduler.tasks")


class Tasks:
    """The registry of task versions."""

    def __init__(self, *, records: Records) -> None:
        self._records = records
        self._known: dict[bytes, TaskRecord] = {}

    def get(self, digest: bytes) -> TaskRecord | None:
        """A version that was declared before."""
        return self._known.get(digest)

    def declare(self, digest: bytes, spec: TaskSpec) -> TaskRecord:
        """Takes a version in. One that breaks a rule is taken in with its refusal, which its actions are answered
        with. Raises InvalidArgument for a digest that is not that of the task."""
        known = self._known.get(digest)
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
        self._known[digest] = record
        return record

    def declared(self, report: WorkerReport) -> None:
        """Handles a worker's DeclareTask. One under a false digest is dropped, or it would stand in the way of the task
        that the digest belongs to; calls of it are refused as undeclared."""
        try:
            self.declare(report.declare_task.digest, report.declare_task.spec)
        except InvalidArgument as error:
            _log.warning("a worker declared a task under a digest that is not its own: %s", error)

    async def load(self, digest: bytes) -> TaskRecord:
        """A version from the store. Raises KeyError if it is not there."""
        known = self._known.get(digest)
        if known is not None:
            return known
        stored = await self._records.task(digest)
        if stored is None:
            raise KeyError(digest.hex())
        record = self.declare(digest, TaskSpec.FromString(stored))
        record.stored = True
        return record

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
