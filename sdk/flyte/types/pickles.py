"""Values of no portable type, as cloudpickle bytes.

Only workers and the SDK open a pickle; services carry it as the bytes that it is. A script that submits a run is
`__main__` here and a module of its file's name there: what a worker pickled finds its classes in the script that
runs, which is not carried out a second time, and may lie where this process could not import it from. In the other
direction `classes_of_script` names the classes of the script, so that on a worker they are those that its tasks know.
"""

from __future__ import annotations

import importlib
import io
import operator
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from flyte.types.closed_pickles import ClosedPickle, are_kept_closed
from flyte.types.codec import Read, Value, unexpected_kind, unwrapped
from flyte.types.mismatch import TypeTransformerFailedError

_warned: Final[set[type]] = set()
_names_of_script: Final[set[str]] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptModule:
    """How workers import the script that runs here."""

    module: str
    made_when_run: frozenset[str] = frozenset()
    """The names that importing it does not make."""


_script: ContextVar[ScriptModule | None] = ContextVar("flyte_script", default=None)


def warn_of_pickle(owner: type) -> None:
    """Say once for each class that its values travel as pickles, which is the last resort."""
    if owner in _warned:
        return
    _warned.add(owner)
    from flyte.authoring.logs import system_logger

    system_logger.warning(
        "Values of type %s.%s have no portable form and travel as pickles: whoever reads them needs the same Python "
        "and the same versions of libraries. Use a dataclass or a pydantic model, or register a type with "
        "flyte.types.TypeEngine.",
        owner.__module__,
        owner.__qualname__,
    )


class _Imported:
    """Stands for a module that whoever opens the pickle imports: it names nothing of this SDK."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return importlib.import_module, (self._name,)


class _InOrder:
    """A set whose pickle is the same in every process: its own order follows the hashes of the process."""

    def __init__(self, value: set[Any] | frozenset[Any]) -> None:
        self._value = value

    def __reduce__(self) -> tuple[type, tuple[list[Any]]]:
        return type(self._value), (sorted(self._value, key=_name_of),)


def _name_of(item: Any) -> tuple[str, str]:
    return type(item).__qualname__, repr(item)


def write_pickle(message: Value, value: Any) -> None:
    """Write any object that cloudpickle can carry."""
    try:
        message.pickle.data = _dumps(_InOrder(value) if type(value) in (set, frozenset) else value)
    except Exception as error:
        raise TypeTransformerFailedError(
            f"A value of type {type(value)} has no portable form and cannot be pickled: {type(error).__name__}: {error}"
        ) from error
    message.pickle.type_name = f"{type(value).__module__}.{type(value).__qualname__}"


def _dumps(value: Any) -> bytes:
    import cloudpickle

    script = _script.get()
    data: bytes = cloudpickle.dumps(value) if script is None else _dumps_by_name(value, script)
    return data


def _dumps_by_name(value: Any, script: ScriptModule) -> bytes:
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
        def reducer_override(self, item: Any) -> Any:
            if isinstance(item, type) and _is_in_script(item, script):
                return operator.attrgetter(item.__qualname__), (_Imported(script.module),)
            return super().reducer_override(item)

    into = io.BytesIO()
    Pickler(into).dump(value)
    return into.getvalue()


def _is_in_script(item: type, script: ScriptModule) -> bool:
    name = item.__qualname__
    if item.__module__ != "__main__" or "<locals>" in name or name.partition(".")[0] in script.made_when_run:
        return False
    try:
        return operator.attrgetter(name)(sys.modules["__main__"]) is item
    except AttributeError:
        return False


@contextmanager
def classes_of_script(script: ScriptModule | None) -> Iterator[None]:
    """Have what is pickled meanwhile name the classes of the script that runs; with None it contains them."""
    before = _script.set(script)
    try:
        yield
    finally:
        _script.reset(before)


def find_in_script(module: str) -> None:
    """Have pickles find in `__main__` what they name as part of this module from now on."""
    _names_of_script.add(module)


def _module_here(name: str) -> ModuleType:
    return importlib.import_module("__main__" if name in _names_of_script else name)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if module_name in _names_of_script:
            try:
                return super().find_class("__main__", global_name)
            except AttributeError:
                pass  # made in the worker only
        if (module_name, global_name) == ("importlib", "import_module"):
            return _module_here
        return super().find_class(module_name, global_name)


def open_pickle(data: bytes) -> Any:
    """Return the object of a pickle. Raises whatever opening it raises."""
    return _Unpickler(io.BytesIO(data)).load() if _names_of_script else pickle.loads(data)


def read_pickle(message: Value) -> Any:
    """Return the object of a message of kind `pickle`."""
    if are_kept_closed():
        return ClosedPickle(message.pickle.type_name, len(message.pickle.data))
    try:
        return open_pickle(message.pickle.data)
    except Exception as error:
        raise TypeTransformerFailedError(
            f"The pickle of a {message.pickle.type_name} cannot be opened here: {type(error).__name__}: {error}"
        ) from error


def read_other(annotation: Any, message: Value, read: Read) -> Any:
    """Read a message that is not of the kind that `read` expects.

    A union wrapper is taken off, a pickle is what any value may be when its portable form does not hold it.
    """
    kind = message.WhichOneof("kind")
    if kind == "union":
        return read(unwrapped(message))
    if kind == "pickle":
        return read_pickle(message)
    raise unexpected_kind(annotation, message)
