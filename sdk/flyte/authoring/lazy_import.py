"""Imports that wait until something of the module is used, for plugins with heavy libraries."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType


class _Missing(ModuleType):
    """Stands for a module that is not installed, until somebody needs it."""

    def __getattr__(self, name: str) -> object:
        raise ImportError(f"Module {self.__name__} is not installed: install the package that has it.")


def lazy_module(fullname: str) -> ModuleType:
    """Return a module that is loaded when an attribute of it is first read.

    A module that is not installed raises ImportError only then.
    """
    if fullname in sys.modules:
        return sys.modules[fullname]
    spec = importlib.util.find_spec(fullname)
    if spec is None or spec.loader is None:
        return _Missing(fullname)
    loader = importlib.util.LazyLoader(spec.loader)
    spec.loader = loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[fullname] = module
    loader.exec_module(module)
    return module
