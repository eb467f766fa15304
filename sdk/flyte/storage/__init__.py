"""Data by address: paths, file://, s3://, gs://, abfs://, https://.

`flyte.storage.objects` blocks, and is what the SDK itself uses; `get`, `put`, `exists` and their like are awaited.
Everything is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flyte.storage.asynchronous import (
        exists,
        exists_sync,
        get,
        get_random_local_directory,
        get_random_local_path,
        get_stream,
        open,
        put,
        put_stream,
    )
    from flyte.storage.filesystems import get_configured_fsspec_kwargs, get_underlying_filesystem
    from flyte.storage.locations import is_remote, join
    from flyte.storage.objects import get_bytes, get_file, list_objects, put_bytes, put_file
    from flyte.storage.options import ABFS, GCS, S3, Storage, configure

_PLACES: Final = {
    "ABFS": "options",
    "GCS": "options",
    "S3": "options",
    "Storage": "options",
    "configure": "options",
    "exists": "asynchronous",
    "exists_sync": "asynchronous",
    "get": "asynchronous",
    "get_bytes": "objects",
    "get_configured_fsspec_kwargs": "filesystems",
    "get_file": "objects",
    "get_random_local_directory": "asynchronous",
    "get_random_local_path": "asynchronous",
    "get_stream": "asynchronous",
    "get_underlying_filesystem": "filesystems",
    "is_remote": "locations",
    "join": "locations",
    "list_objects": "objects",
    "open": "asynchronous",
    "put": "asynchronous",
    "put_bytes": "objects",
    "put_file": "objects",
    "put_stream": "asynchronous",
}

__all__ = [
    "ABFS",
    "GCS",
    "S3",
    "Storage",
    "configure",
    "exists",
    "exists_sync",
    "get",
    "get_bytes",
    "get_configured_fsspec_kwargs",
    "get_file",
    "get_random_local_directory",
    "get_random_local_path",
    "get_stream",
    "get_underlying_filesystem",
    "is_remote",
    "join",
    "list_objects",
    "open",
    "put",
    "put_bytes",
    "put_file",
    "put_stream",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'flyte.storage' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"flyte.storage.{_PLACES[name]}"), name)
    return value
