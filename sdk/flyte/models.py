"""The values that tasks and their controllers share, under the names that users of the peer SDK know."""

from __future__ import annotations

from flyte.authoring.bundles import CheckpointPaths, CodeBundle, PathRewrite, RawDataPath, SerializationContext
from flyte.authoring.docstring import Docstring
from flyte.authoring.identity import ActionID, GroupData, generate_random_name
from flyte.authoring.interface import NativeInterface, extract_return_annotation
from flyte.authoring.literals import literal_to_enum
from flyte.authoring.logs import system_logger as logger
from flyte.authoring.task_context import NULL_TASK_CONTEXT, TaskContext
from flyte.spec.limits import MAX_INLINE_IO_BYTES
from flyte.spec.phases import ActionPhase

__all__ = [
    "MAX_INLINE_IO_BYTES",
    "NULL_TASK_CONTEXT",
    "ActionID",
    "ActionPhase",
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
    "literal_to_enum",
    "logger",
]
