"""Values of no portable type, as cloudpickle bytes.

Only workers and the SDK open a pickle; services carry it as the bytes that it is. A script that submits a run is
`__main__` here and a module of its file's name there: what a worker pickled finds its classes in the script that
runs, which is not carried out a second time, and may lie where this process could not import it from.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, Final

from flyte.types.codec import Read, Value, unexpected_kind, unwrapped
from flyte.types.mismatch import TypeTransformerFailedError

_warned: Final[set[type]] = set()
_names_of_script: Final[set[str]] = set()


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
    import cloudpickle

    try:
        message.pickle.data = cloudpickle.dumps(_InOrder(value) if type(value) in (set, frozenset) else value)
    except Exception as error:
        raise TypeTransformerFailedError(
            f"A value of type {type(value)} has no portable form and cannot be pickled: {type(error).__name__}: {error}"
        ) from error
    message.pickle.type_name = f"{type(value).__module__}.{type(value).__qualname__}"


def find_in_script(module: str) -> None:
    """Have pickles find in `__main__` what they name as part of this module from now on."""
    _names_of_script.add(module)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if module_name in _names_of_script:
            try:
                return super().find_class("__main__", global_name)
            except AttributeError:
                pass  # made in the worker only
        return super().find_class(module_name, global_name)


def open_pickle(data: bytes) -> Any:
    """Return the object of a pickle. Raises whatever opening it raises."""
    return _Unpickler(io.BytesIO(data)).load() if _names_of_script else pickle.loads(data)


def read_pickle(message: Value) -> Any:
    """Return the object of a message of kind `pickle`."""
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
