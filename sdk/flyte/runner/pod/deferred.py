"""Modules that others import and hardly ever use, such as `ssl` for asyncio: loaded when something of them is used.

While the block lasts an import of one of them gives a stand-in. Whoever imported it keeps the stand-in, which passes on
every use to the real module, loaded then. After the block imports are what they always are: user code never sees a
stand-in.
"""

from __future__ import annotations

import _thread
import sys
from types import ModuleType

# Not from `typing`, which itself is to be found sooner, see `packed_modules`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SELDOM_USED = (
    *("array", "asyncio.sslproto", "asyncio.staggered", "asyncio.trsock", "bz2", "calendar", "copy", "fnmatch"),
    *("google.protobuf.internal.python_message", "inspect", "ipaddress", "linecache", "locale", "lzma", "ntpath"),
    *("ssl", "subprocess", "traceback", "urllib.parse"),
)
"""What asyncio, dataclasses, logging, pathlib, protobuf, socket and tarfile want for work that no worker does
before its task's first line."""
MESSAGES = (
    *("flyteapi.common.v1.error_pb2", "flyteapi.common.v1.phase_pb2", "flyteapi.scheduler.v1.worker_service_pb2"),
    *("flyteapi.task.v1.task_spec_pb2", "flyteapi.task.v1.value_pb2", "google.protobuf.timestamp_pb2"),
)
"""What a worker says is made of these, and with them protobuf is loaded. What it is told first is plain, see
`flyte.runner.plain_messages`."""
_TAKEN_AHEAD = {"traceback": ("extract_stack",), "urllib.parse": ("quote_from_bytes",)}
"""Functions that somebody takes from a module without calling them: asyncio for its debug mode, pathlib for URIs."""
_CONSTANTS = {"subprocess": {"PIPE": -1, "STDOUT": -2, "DEVNULL": -3}}
"""Values that somebody takes, the same in all versions of Python: asyncio has them as defaults of parameters."""

_lock = _thread.allocate_lock()


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        # What the import system itself asks a module for is no use of it.
        if name.startswith("__"):
            raise AttributeError(name)
        if name in (known := _CONSTANTS.get(self.__name__, {})):
            return known[name]
        if self._takes_ahead(name):
            return _Taken(self, name)
        return getattr(self.load(), name)

    def _takes_ahead(self, name: str) -> bool:
        """Whether somebody takes a function or class in the block, to use it later."""
        if sys.modules.get(self.__name__) is not self:
            return False
        return self.__name__ in MESSAGES or name in _TAKEN_AHEAD.get(self.__name__, ())

    def load(self) -> ModuleType:
        """The real module."""
        import importlib

        # Messages import each other, and would get stand-ins, of which nothing is loaded.
        for name in MESSAGES if self.__name__ in MESSAGES else ():
            if isinstance(other := sys.modules.get(name), _StandIn):
                _take_away(other)
        _take_away(self)
        # Also for a module that is there: another thread may have only begun to load it.
        return importlib.import_module(self.__name__)


class _Taken:
    """A function or class that was taken from a module, which is loaded when it is called or looked into."""

    def __init__(self, module: _StandIn, name: str) -> None:
        self._module = module
        self._name = name
        self._found: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._find()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._find(), name)

    def _find(self) -> Any:
        if self._found is None:
            self._found = getattr(self._module.load(), self._name)
        return self._found


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
            if _take_away(stand_in) and stand_in.__name__ not in MESSAGES:
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
