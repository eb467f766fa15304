"""Dataclasses whose methods are written when one is first called.

The standard library writes and compiles up to seven functions for each frozen dataclass, 0.7 ms in all. A process
defines hundreds of them when it starts, of which most are used much later or never: made at once they are a fifth of
what starting the platform, a worker's template or a command costs. Modules that such processes load take the
decorator from here, and are otherwise as with `dataclasses`:

    from flyte.spec.lazy_dataclass import dataclass

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Place: ...

The methods are those of the standard library, and replace what stands for them on the first call, so that nothing is
slower afterwards. A class is lazy if it is frozen, has slots and a docstring, inherits from lazy ones only and writes
none of these methods itself; any other is made at once. The signature of a lazy class says nothing before its first
use, so no class that users see is one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    # To checkers it is that of the standard library.
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls: type | None = None, /, **options: bool) -> Any:
        """Make a dataclass, see the module; options as in `dataclasses.dataclass`."""

        def decorate(cls: type) -> type:
            eager = not _can_be_lazy(cls, options)
            return dataclasses.dataclass(**options)(cls) if eager else _lazy(cls, options.get("kw_only", False))

        return decorate if cls is None else decorate(cls)


#: Methods that are written together, and what `dataclasses` is told for it.
_GROUPS: Final[Mapping[tuple[str, ...], Mapping[str, bool]]] = {
    ("__init__",): {"repr": False, "eq": False},
    ("__repr__", "__eq__", "__hash__"): {"init": False},
}
_METHODS: Final = frozenset(name for names in _GROUPS for name in names)
_KNOWN_OPTIONS: Final = frozenset({"frozen", "slots", "kw_only"})
_NOT_COPIED: Final = frozenset({"__dict__", "__weakref__"})
#: Every lazy class.
_made: Final[set[type]] = set()


def _can_be_lazy(cls: type, options: Mapping[str, bool]) -> bool:
    written = vars(cls)
    return (
        bool(options.get("frozen") and options.get("slots"))
        and options.keys() <= _KNOWN_OPTIONS
        and all(base is object or base in _made for base in cls.__bases__)
        and bool(cls.__doc__)
        and not _METHODS & written.keys()
    )


def _lazy(cls: type, kw_only: bool) -> Any:
    body = {name: value for name, value in vars(cls).items() if name not in _NOT_COPIED}
    body["__qualname__"] = cls.__qualname__
    # What inherits from a frozen class has to say that it is frozen as well, which costs two functions.
    frozen = cls.__base__ is not object
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True, frozen=frozen, kw_only=kw_only)(cls)
    made.__dataclass_params__.frozen = True
    for names, options in _GROUPS.items():

        def write(names: tuple[str, ...] = names, options: Mapping[str, bool] = options) -> None:
            # The class once more, for its methods.
            twin: Any = type(cls.__name__, cls.__bases__, dict(body))
            written = vars(dataclasses.dataclass(frozen=True, kw_only=kw_only, **options)(twin))
            for name in names:
                setattr(made, name, written[name])

        for name in names:
            setattr(made, name, _stand_in(made, name, write))
    for name, method in _OF_EVERY_CLASS.items():
        setattr(made, name, method)
    _made.add(made)
    return made


def _stand_in(made: type, name: str, write: Callable[[], None]) -> Callable[..., Any]:
    def stand_in(self: Any, *values: Any, **named: Any) -> Any:
        # Two threads may both do so: what they write is the same.
        write()
        return getattr(made, name)(self, *values, **named)

    return stand_in


def _refuse_set(self: object, name: str, value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_OF_EVERY_CLASS: Final[Mapping[str, Callable[..., Any]]] = {
    "__setattr__": _refuse_set,
    "__delattr__": _refuse_delete,
    "__getstate__": _state,
    "__setstate__": _set_state,
}
