"""Annotations, taken apart: aliases resolved, wrappers removed, hints of classes with their type variables filled in.

The text of an annotation is part of a task's identity, so it depends on nothing but the annotation: no module (a script
is `__main__` in one process and a module in the next), no order of earlier use.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

NoneType: Final = type(None)
_WRAPPERS: Final = (typing.Required, typing.NotRequired, typing.Final, typing.ClassVar)


def strip(annotation: Any) -> Any:
    """Return an annotation without names and wrappers that say nothing about the values."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated or origin in _WRAPPERS:
            annotation = get_args(annotation)[0]
        elif annotation is None:
            return NoneType
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif isinstance(annotation, TypeVar):
            annotation = annotation.__bound__ or Any
        else:
            return annotation


def metadata(annotation: Any) -> tuple[Any, ...]:
    """Return what `Annotated` carries beside the type."""
    return tuple(annotation.__metadata__) if get_origin(annotation) is Annotated else ()


def hash_method_of(annotation: Any) -> Any:
    """Return what an annotation says equal content is told by, as in `Annotated[File, HashFunction.from_fn(f)]`."""
    # Columns are given as a dict, which can be updated as well.
    return next(
        (extra for extra in metadata(annotation) if hasattr(extra, "update") and hasattr(extra, "result")), None
    )


def is_union(annotation: Any) -> bool:
    """Tell whether an annotation is a union in either spelling."""
    return get_origin(annotation) in (Union, types.UnionType)


def accepts_none(annotation: Any) -> bool:
    """Tell whether None is a value of an annotation."""
    bare = strip(annotation)
    if bare is NoneType or bare is Any or bare is object:
        return True
    return is_union(bare) and any(accepts_none(element) for element in get_args(bare))


def describe(annotation: Any) -> str:
    """Return an annotation as text for people, equal in every process."""
    bare = strip(annotation)
    if bare is NoneType:
        return "None"
    if is_union(bare):
        return " | ".join(dict.fromkeys(describe(element) for element in get_args(bare)))
    origin = get_origin(bare)
    if origin is Literal:
        return f"Literal[{', '.join(map(_literal_text, get_args(bare)))}]"
    if origin is not None and isinstance(origin, type):
        arguments = ", ".join(map(_argument_text, get_args(bare)))
        if not arguments:
            return "tuple[()]" if origin is tuple else _class_text(origin)
        return f"{_class_text(origin)}[{arguments}]"
    if isinstance(bare, type):
        return _class_text(bare)
    return str(bare).removeprefix("typing.")


def class_hints(owner: type) -> dict[str, Any]:
    """Return the resolved hints of a class with their extras, or those that can be resolved.

    A hint that names something only a type checker sees becomes Any.
    """
    try:
        return typing.get_type_hints(owner, include_extras=True)
    except Exception:
        return _hints_one_by_one(owner)


def substituted(hint: Any, arguments: Mapping[Any, Any]) -> Any:
    """Return a hint with type variables replaced."""
    if not arguments:
        return hint
    if isinstance(hint, TypeVar):
        return arguments.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters:
        return hint
    return hint[tuple(arguments.get(parameter, Any) for parameter in parameters)]


def type_arguments(annotation: Any) -> dict[Any, Any]:
    """Return which type variables of a generic class an annotation such as `Box[int]` fills in."""
    origin = get_origin(annotation)
    parameters = getattr(origin, "__parameters__", ())
    return dict(zip(parameters, get_args(annotation), strict=False))


def _hints_one_by_one(owner: type) -> dict[str, Any]:
    import sys

    hints: dict[str, Any] = {}
    for base in reversed(owner.__mro__):
        names = {**vars(sys.modules.get(base.__module__, types)), **vars(base), owner.__name__: owner}
        for name, hint in inspect.get_annotations(base).items():
            try:
                hints[name] = eval(hint, names) if isinstance(hint, str) else hint
            except Exception:
                hints[name] = Any
    return hints


def _class_text(owner: type) -> str:
    return owner.__qualname__.rpartition("<locals>.")[2]


def _literal_text(value: Any) -> str:
    return f"{type(value).__name__}.{value.name}" if hasattr(value, "name") else repr(value)


def _argument_text(argument: Any) -> str:
    if argument is Ellipsis:
        return "..."
    if isinstance(argument, typing.ForwardRef):
        return argument.__forward_arg__
    if isinstance(argument, list):
        return f"[{', '.join(map(_argument_text, argument))}]"
    return describe(argument)
