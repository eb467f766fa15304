"""Modules that others import and hardly ever use, such as `ssl` for asyncio: loaded when something of them is used.

While the block lasts an import of one of them gives a stand-in. Whoever imported it keeps the stand-in, which passes on
every use to the real module, loaded then. After the block imports are what they always are: user code never sees a
stand-in.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        # What the import system itself asks a module for is no use of it.
        if name.startswith("__"):
            raise AttributeError(name)
        real = sys.modules.get(self.__name__)
        if real is None or real is self:
            sys.modules.pop(self.__name__, None)
            real = importlib.import_module(self.__name__)
        return getattr(real, name)


@contextmanager
def deferred(*names: str) -> Iterator[None]:
    """Defers the loading of modules, as far as they are not loaded, while others are loaded in the block."""
    stand_ins = {name: _StandIn(name) for name in names if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
                _name_in_package(stand_in)


def _name_in_package(stand_in: ModuleType) -> None:
    """A package has its modules as attributes once they were imported, and some programs rely on it."""
    package, _, name = stand_in.__name__.rpartition(".")
    if package in sys.modules and not hasattr(sys.modules[package], name):
        setattr(sys.modules[package], name, stand_in)
