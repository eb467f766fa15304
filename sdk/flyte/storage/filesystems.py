"""Stores as file systems of fsspec, for libraries that read and write through it.

The SDK itself needs no fsspec: it is the user's to install, and what is asked for here says so where it is missing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from flyte.storage.locations import scheme_of
from flyte.storage.options import options_for, unsigned

_OF_FSSPEC: Final = frozenset({"file", "http", "https", "memory"})


def get_configured_fsspec_kwargs(protocol: str | None = None, anonymous: bool = False) -> dict[str, Any]:
    """Return how stores of a protocol are reached from this process: what `flyte.init(storage=...)` said.

    - `anonymous`: without credentials, for public data.
    """
    options = dict(options_for((protocol or "file").lower()))
    return unsigned(options) if anonymous else options


def get_underlying_filesystem(
    protocol: str | None = None, anonymous: bool = False, path: str | None = None, **kwargs: Any
) -> Any:
    """Return the fsspec file system of a protocol, or of an address; that of this machine without either.

    Object stores are reached with the credentials of this process; `kwargs` come on top. Raises ImportError where
    fsspec is not installed, ValueError for a protocol that neither fsspec nor the object stores know.
    """
    try:
        fsspec = import_module("fsspec")
    except ImportError as missing:
        raise ImportError("flyte.storage.get_underlying_filesystem needs fsspec: pip install fsspec") from missing
    named = (protocol or scheme_of(path or "") or "file").lower()
    if named in _OF_FSSPEC:
        return fsspec.filesystem(named, **({"auto_mkdir": True, **kwargs} if named == "file" else kwargs))
    options = get_configured_fsspec_kwargs(named, anonymous) | kwargs
    return import_module("obstore.fsspec").FsspecStore("gs" if named == "gcs" else named, **options)
