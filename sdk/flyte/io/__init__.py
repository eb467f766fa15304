"""Data too large to travel inside messages: files, folders and tables, passed between tasks by their address."""

from __future__ import annotations

from flyte.io.data_frame import DataFrame
from flyte.io.dir import Dir, EmptyDir
from flyte.io.file import File
from flyte.io.frame_formats import PARQUET
from flyte.io.hashing import HashFunction, HashlibAccumulator, HashMethod, PrecomputedValue

__all__ = [
    "PARQUET",
    "DataFrame",
    "Dir",
    "EmptyDir",
    "File",
    "HashFunction",
    "HashMethod",
    "HashlibAccumulator",
    "PrecomputedValue",
]
