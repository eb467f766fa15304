"""The values that tasks and their controllers share, under the names that users of the peer SDK know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flyte.authoring.bundles import CheckpointPaths, CodeBundle, PathRewrite, RawDataPath
from flyte.authoring.docstring import Docstring
from flyte.authoring.identity import ActionID, CallCounter, GroupData, generate_random_name
from flyte.authoring.interface import NativeInterface, extract_return_annotation
from flyte.authoring.literals import literal_to_enum
from flyte.authoring.logs import system_logger as logger
from flyte.authoring.serialization_context import SerializationContext
from flyte.authoring.task_context import NULL_TASK_CONTEXT, TaskContext
from flyte.spec.limits import MAX_INLINE_IO_BYTES
from flyte.spec.phases import ActionPhase

CLUSTERED_WORKER_ENV: Final = "FLYTE_CLUSTERED_WORKER"
"""The variable that marks one of several containers of a task, which this platform never starts."""


def is_clustered_worker_env(env: Mapping[str, str]) -> bool:
    """Tell whether variables are those of one of several containers of a task."""
    return env.get(CLUSTERED_WORKER_ENV, "").lower() in ("1", "true")


__all__ = [
    "CLUSTERED_WORKER_ENV",
    "MAX_INLINE_IO_BYTES",
    "NULL_TASK_CONTEXT",
    "ActionID",
    "ActionPhase",
    "CallCounter",
    "CheckpointPaths",
    "CodeBundle",
    "Docstring",
    "GroupData",
    "NativeInterface",
    "PathRewrite",
    "RawDataPath",
    "SerializationContext",
    "TaskContext",
    "extract_return_annotation",
    "generate_random_name",
    "is_clustered_worker_env",
    "literal_to_enum",
    "logger",
]
