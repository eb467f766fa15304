"""Modules that others import and hardly ever use, such as `ssl` for asyncio: loaded when something of them is used.

While the block lasts an import of one of them gives a stand-in. Whoever imported it keeps the stand-in, which passes on
every use to the real module, loaded then. After the block imports are what they always are: user code never sees a
stand-in.
"""

from __future__ import annotations

import _thread
import sys
from functools import partial
from types import ModuleType

# Not from `typing`, which itself is to be found sooner, see `packed_modules`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SELDOM_USED = (
    *("asyncio.sslproto", "bz2", "calendar", "copy", "fnmatch", "google.protobuf.internal.python_message", "inspect"),
    *("ipaddress", "linecache", "locale", "lzma", "ntpath", "ssl", "traceback"),
)
"""What asyncio, dataclasses, logging, pathlib, protobuf, subprocess and tarfile want for work that no worker does
before its task's first line."""
_CALLED_LATER = {"traceback": ("extract_stack",)}
"""Functions that somebody takes from a module without calling them: asyncio does, for its debug mode."""

_lock = _thread.allocate_lock()


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        # What the import system itself asks a module for is no use of it.
        if name.startswith("__"):
            raise AttributeError(name)
        if name in _CALLED_LATER.get(self.__name__, ()):
            return partial(self._call, name)
        return getattr(self._load(), name)

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._load(), name)(*args, **kwargs)

    def _load(self) -> ModuleType:
        import importlib

        _take_away(self)
        # Also for a module that is there: another thread may have only begun to load it.
        return importlib.import_module(self.__name__)


class deferred:
    """Defers the loading of modules, as far as they are not loaded, while others are loaded in the block."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._stand_ins: list[_StandIn] = []

    def __enter__(self) -> None:
        self._stand_ins = [_StandIn(name) for name in self._names if name not in sys.modules]
        sys.modules.update({stand_in.__name__: stand_in for stand_in in self._stand_ins})

    def __exit__(self, *_: object) -> None:
        for stand_in in self._stand_ins:
            if _take_away(stand_in):
                _name_in_package(stand_in)


def _take_away(stand_in: _StandIn) -> bool:
    """Makes the next import load the module; False if that has happened."""
    with _lock:
        there = sys.modules.get(stand_in.__name__) is stand_in
        if there:
            del sys.modules[stand_in.__name__]
        return there


def _name_in_package(stand_in: ModuleType) -> None:
    """A package has its modules as attributes once they were imported, and some programs rely on it."""
    package, _, name = stand_in.__name__.rpartition(".")
    if package in sys.modules and not hasattr(sys.modules[package], name):
        setattr(sys.modules[package], name, stand_in)
