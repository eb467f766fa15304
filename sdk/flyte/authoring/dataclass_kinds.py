"""Kinds of tasks and environments that are written as dataclasses, as they are for the peer SDK.

The constructor that `dataclass` writes knows the fields of the class only, and a dataclass compares by value and has no
hash. Here such kinds are made as every other one and then given their fields, and stay keys of dictionaries.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from flyte.spec.resolve import BY_NAME


def keep_identity(kind: type) -> None:
    """Let a kind that `dataclass` has given an equality by value, and so no hash, be equal to itself only."""
    if kind.__hash__ is None:
        kind.__eq__ = object.__eq__
        kind.__hash__ = object.__hash__


def adopt(kind: type) -> None:
    """Let the constructors that `dataclass` wrote for a kind of task and its bases take what every task takes."""
    for base in _dataclasses_of(kind):
        if not vars(base)["__dataclass_params__"].init or vars(base)["__init__"] is _make:
            continue
        keep_identity(base)
        base.__init__ = _make  # type: ignore[misc]  # of the user's class, not of ours


def _make(task: Any, **given: Any) -> None:
    """Make a task as every other, with `given` in the place of its fields' defaults, and finish it."""
    own = {field.name: field for field in dataclasses.fields(task) if not isinstance(field.default, property)}
    common = {name: value for name, value in given.items() if name not in own or name in BY_NAME}
    _plain_constructor(type(task))(task, **common)
    known = dict(task.settings.items())
    for name, field in own.items():
        if name in known:
            value = known[name].value
        elif name in given:
            value = given[name]
        else:
            value = _default_of(task, field)
        setattr(task, name, value)
    finish = getattr(task, "__post_init__", None)
    if finish is not None:
        finish()


def _plain_constructor(kind: type) -> Any:
    """The constructor of the kind that the first of its dataclasses was made of."""
    behind = kind.__mro__.index(_dataclasses_of(kind)[-1]) + 1
    return next(vars(base)["__init__"] for base in kind.__mro__[behind:] if "__init__" in vars(base))


def _dataclasses_of(kind: type) -> list[type]:
    """The dataclasses among a kind and the kinds that it extends; what is only mixed in is none of them."""
    from flyte.authoring.task import TaskTemplate

    return [base for base in kind.__mro__ if "__dataclass_params__" in vars(base) and issubclass(base, TaskTemplate)]


def _default_of(task: Any, field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    raise TypeError(f"{type(task).__name__}.__init__() missing 1 required keyword-only argument: '{field.name}'")
