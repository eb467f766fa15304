"""What the platform has to know of a task that is called: made once for each task object, declared once on the
stream.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flyte.authoring.task import TaskTemplate
from flyte.runner.stream import WorkerStream
from flyte.spec.limits import MAX_INLINE_IO_BYTES
from flyteapi.scheduler.v1.worker_service_pb2 import DeclareTask, WorkerReport

if TYPE_CHECKING:
    from flyte.types.interface import InterfaceCodec
    from flyte.wire.deployed_task import DeployedCodec


#: Versions that are remembered as declared; declaring one again does no harm.
_MOST_DECLARED: Final = 10_000


@dataclass(frozen=True, slots=True)
class ChildTask:
    """A task as its callers need it."""

    digest: bytes
    identity: bytes
    codec: InterfaceCodec | DeployedCodec
    ignored_inputs: tuple[str, ...]
    max_inline_io_bytes: int
    name: str


class ChildTasks:
    """Describes and declares tasks. One for a worker: a task that several attempts call is declared once."""

    def __init__(self, stream: WorkerStream) -> None:
        self._stream = stream
        self._known: weakref.WeakKeyDictionary[TaskTemplate[Any, Any, Any], ChildTask] = weakref.WeakKeyDictionary()
        self._declared: set[bytes] = set()

    def describe(self, task: TaskTemplate[Any, Any, Any], *, bundle_digest: str) -> ChildTask:
        """The task's description; its version has been declared when this returns. Raises InvalidSetting, a
        ValueError.
        """
        known = self._known.get(task)
        return known if known is not None else self._introduce(task, bundle_digest)

    def _introduce(self, task: TaskTemplate[Any, Any, Any], bundle_digest: str) -> ChildTask:
        # Many tasks call no other, and pods start without it.
        from flyte.spec.digests import interface_digest, task_digest, task_identity
        from flyte.types.interface import interface_codec
        from flyte.wire.deployed_task import DeployedTask
        from flyte.wire.task_spec import task_to_proto

        spec = task_to_proto(task, bundle_digest=bundle_digest)
        digest = task_digest(spec)
        child = self._known[task] = ChildTask(
            digest=digest,
            identity=task_identity(spec.name, interface_digest(spec.interface), spec.cache.version),
            codec=task.codec if isinstance(task, DeployedTask) else interface_codec(task.native_interface),
            ignored_inputs=tuple(spec.cache.ignored_inputs),
            max_inline_io_bytes=spec.max_inline_io_bytes or MAX_INLINE_IO_BYTES,
            name=spec.name,
        )
        if digest not in self._declared:
            if len(self._declared) >= _MOST_DECLARED:
                self._declared.clear()
            self._declared.add(digest)
            self._stream.send(WorkerReport(declare_task=DeclareTask(digest=digest, spec=spec)))
        return child
