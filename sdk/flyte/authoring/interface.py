"""The inputs and outputs of a task, from the annotations of its function.

Annotations are read when the interface is first asked for, not when the function is decorated: they may name classes
that are defined further down. A NamedTuple class gives an output for each of its fields, under their names; all others
are named `o0`, `o1`, ...: a tuple annotation gives one for each element, any other annotation gives one.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from flyte.authoring.docstring import Docstring

    NO_DEFAULT: Final = inspect.Parameter.empty
    """In the place of a default: the input is required."""

_VARIABLE_PARAMETERS: Final = 0x04 | 0x08
"""`inspect.CO_VARARGS` and `inspect.CO_VARKEYWORDS`. In a pod `inspect` is loaded when something of it is used."""


def __getattr__(name: str) -> Any:
    if name == "NO_DEFAULT":
        return inspect.Parameter.empty
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class HasDefault:
    """In the place of a default that `NativeInterface.from_types` is given apart from the types."""


@dataclass(frozen=True)
class NativeInterface:
    """Inputs as name -> (type, default), outputs as name -> type, both in their order."""

    has_default: ClassVar[type[HasDefault]]

    inputs: Mapping[str, tuple[Any, Any]]
    outputs: Mapping[str, Any]
    docstring: Docstring | None = None
    record: type[tuple[Any, ...]] | None = field(default=None, kw_only=True, repr=False)
    """The NamedTuple class whose fields are the outputs; None for others."""

    def __repr__(self) -> str:
        """The interface as a signature: `(x: int, y: str = a) -> o0: int:`."""
        inputs = ", ".join(
            f"{name}: {_shown(kind)}" + ("" if default is inspect.Parameter.empty else f" = {default}")
            for name, (kind, default) in self.inputs.items()
        )
        outputs = ", ".join(f"{name}: {_shown(kind)}" for name, kind in self.outputs.items())
        shown = {0: "None", 1: outputs}.get(len(self.outputs), f"({outputs})")
        return f"({inputs}) -> {shown}:"

    @classmethod
    def from_callable(cls, func: Callable[..., Any]) -> NativeInterface:
        """Read the annotations of a function; a parameter without one is of type Any.

        Raises ValueError for variable parameters, NameError for an annotation that does not resolve.
        """
        from flyte.authoring.docstring import Docstring

        refuse_variable_parameters(func)
        hints = typing.get_type_hints(func, include_extras=True)
        parameters = inspect.signature(func).parameters
        inputs = {name: (hints.get(name, Any), parameter.default) for name, parameter in parameters.items()}
        returned = hints.get("return")
        record = returned if _is_named_tuple(returned) else None
        return cls(inputs, extract_return_annotation(returned), Docstring(callable_=func), record=record)

    @classmethod
    def from_types(
        cls,
        inputs: Mapping[str, tuple[Any, Any]],
        outputs: Mapping[str, Any],
        default_inputs: Mapping[str, Any] | None = None,
    ) -> NativeInterface:
        """Make an interface of types, for tasks that have no function.

        An input is a type and its default, or `NativeInterface.has_default` in the place of a default that is in
        `default_inputs`, as a value or as the message of one. Raises ValueError where the two do not fit together.
        """
        defaults = default_inputs or {}
        promised = {name for name, (_, default) in inputs.items() if default is cls.has_default}
        if wrong := sorted(promised.symmetric_difference(defaults)):
            raise ValueError(f"Inputs marked has_default and default_inputs differ in: {', '.join(wrong)}")
        known = {name: (inputs[name][0], _as_value(inputs[name][0], default)) for name, default in defaults.items()}
        return cls({**inputs, **known}, dict(outputs))

    @property
    def json_schema(self) -> dict[str, Any]:
        """The inputs as the JSON Schema of one object: what a form for a launch asks for."""
        from flyte.types.interface import interface_codec

        return interface_codec(self).inputs_schema()

    def has_outputs(self) -> bool:
        """Tell whether there is anything to return."""
        return bool(self.outputs)

    def required_inputs(self) -> list[str]:
        """Return the names of inputs without a default."""
        return [name for name, (_, default) in self.inputs.items() if default is inspect.Parameter.empty]

    def num_required_inputs(self) -> int:
        """Return how many inputs have no default."""
        return len(self.required_inputs())

    def get_input_types(self) -> dict[str, Any]:
        """Return the type of each input."""
        return {name: kind for name, (kind, _) in self.inputs.items()}

    def convert_to_kwargs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return what a call gives, by name, without defaults.

        Raises ValueError for too many positional arguments, for an input given twice and for an unknown one.
        """
        names = self.inputs.keys()
        if len(args) > len(names):
            raise ValueError(f"Too many positional arguments provided, expected inputs {names}, args {len(args)}")
        given = dict(zip(names, args, strict=False))
        if repeated := [name for name in kwargs if name in given]:
            raise ValueError(f"Inputs given twice, by position and by name: {', '.join(repeated)}")
        return given | kwargs

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of every input of a call, in the order of the interface, defaults filled in.

        Raises ValueError naming the inputs that are missing, given twice, unknown or too many.
        """
        given = self.convert_to_kwargs(*args, **kwargs)
        missing = [name for name in self.required_inputs() if name not in given]
        if missing:
            raise ValueError(f"Missing required inputs: {', '.join(missing)}")
        if len(given) > len(self.inputs) or not given.keys() <= self.inputs.keys():
            unknown = [name for name in given if name not in self.inputs]
            raise ValueError(f"Unexpected inputs: {', '.join(unknown)}. The inputs are: {', '.join(self.inputs)}")
        return {name: given.get(name, default) for name, (_, default) in self.inputs.items()}


NativeInterface.has_default = HasDefault


def _as_value(annotation: Any, default: Any) -> Any:
    """The value of a default; one that is stored as a message is decoded."""
    if not hasattr(default, "SerializeToString"):
        return default
    from flyte.types.codecs import codec_for

    return codec_for(annotation).decode(default)


def refuse_variable_parameters(func: Callable[..., Any]) -> None:
    """Raise ValueError for a function with `*args` or `**kwargs`, or with parameters that have no name for callers.

    An interface has a fixed number of inputs, and each is given by its name.

    A decorator's wrapper takes what the function takes that it wraps, if `functools.wraps` says which.
    """
    wrapped = inspect.unwrap(func) if hasattr(func, "__wrapped__") else func
    code = getattr(wrapped, "__code__", None)
    if code is not None and code.co_flags & _VARIABLE_PARAMETERS:
        raise ValueError(f"Function {func.__name__} cannot have variable positional or keyword arguments.")
    if code is not None and code.co_posonlyargcount:
        raise ValueError(
            f"Function {func.__name__} takes arguments by position only. Remove the `/`: inputs have names."
        )


def _shown(annotation: Any) -> str:
    """A class by its name, anything else as it is written."""
    plain = isinstance(annotation, type) and not typing.get_args(annotation)
    return annotation.__name__ if plain else str(annotation)


def _is_named_tuple(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, tuple) and bool(getattr(annotation, "_fields", ()))


def extract_return_annotation(return_annotation: Any) -> dict[str, Any]:
    """Return the outputs that a return annotation means: none for None, one for each element of a fixed tuple.

    The fields of a NamedTuple class are outputs under their own names. A tuple of types, as in `-> (int, str)`, is
    taken for a tuple type. A tuple of one element is one value, a tuple.
    """
    if isinstance(return_annotation, tuple):
        return extract_return_annotation(tuple.__class_getitem__(return_annotation) if return_annotation else None)
    if return_annotation is None or return_annotation is type(None) or return_annotation is inspect.Signature.empty:
        return {}
    if _is_named_tuple(return_annotation):
        hints = typing.get_type_hints(return_annotation, include_extras=True)
        return {name: hints.get(name, Any) for name in return_annotation._fields}
    if typing.get_origin(return_annotation) is tuple:
        elements = typing.get_args(return_annotation)
        if len(elements) > 1 and Ellipsis not in elements:
            return {f"o{index}": element for index, element in enumerate(elements)}
    return {"o0": return_annotation}
