"""Inputs and outputs of an action, as Python values.

Where the task is known in this process its annotations decide the types; anywhere else values are read by what they
say of themselves: numbers, texts, lists and dicts as such, records as dicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flyte.syncify import Settled
from flyteapi.task.v1.value_pb2 import NamedValues, Value


class ActionInputs(dict[str, Any], Settled):
    """The inputs by name."""

    def __init__(self, pb2: object = None, data: Mapping[str, Any] | None = None) -> None:
        """Take inputs by name; for `pb2` see `ActionOutputs`."""
        super().__init__(data or {})

    def __reduce__(self) -> tuple[Any, ...]:
        return (ActionInputs, (None, dict(self)))

    def __repr__(self) -> str:
        return f"ActionInputs({_assignments(self.items())})"


class ActionOutputs(tuple[Any, ...], Settled):
    """The outputs in order; each is an attribute as well: `outputs[0]` is `outputs.o0`, whatever its name.

    A task that returns nothing has one output, which is None.
    """

    fields: tuple[str, ...]

    def __new__(
        cls, pb2: object = None, data: Iterable[Any] = (), fields: Iterable[str] | None = None
    ) -> ActionOutputs:
        """Make outputs of values and, unless they are o0, o1, ..., their names.

        `pb2` stands where programs for the peer SDK give a message, which is not kept.
        """
        outputs = super().__new__(cls, data)
        outputs.fields = tuple(fields) if fields is not None else tuple(f"o{n}" for n in range(len(outputs)))
        return outputs

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ActionOutputs:
        """Return the outputs of a task that has succeeded."""
        return cls(data=values.values(), fields=values.keys()) if values else cls(data=(None,))

    @property
    def named_outputs(self) -> dict[str, Any]:
        """The outputs by name."""
        return dict(zip(self.fields, self, strict=True))

    def __getattr__(self, name: str) -> Any:
        if name != "fields" and name in self.fields:
            return self[self.fields.index(name)]
        if name[:1] == "o" and name[1:].isdecimal() and int(name[1:]) < len(self):
            return self[int(name[1:])]
        raise AttributeError(f"there is no output {name!r}; the outputs are: {', '.join(self.fields) or 'none'}")

    def __repr__(self) -> str:
        return f"ActionOutputs({_assignments(self.named_outputs.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (ActionOutputs, (None, tuple(self), self.fields))


Deserializers = Mapping[Any, Callable[[Any], Any]]
"""Functions that change the values of a type after they were read."""


def deserialised(
    values: Mapping[str, Any], types: Mapping[str, Any], deserializers: Deserializers | None
) -> dict[str, Any]:
    """Return values by name, those of the types that have one changed by its deserializer."""
    keep: Callable[[Any], Any] = _same
    return {name: (deserializers or {}).get(types.get(name), keep)(value) for name, value in values.items()}


def _same(value: Any) -> Any:
    return value


def named_values(content: bytes) -> dict[str, Value]:
    """Return serialised NamedValues by name, as they travel."""
    return {named.name: named.value for named in NamedValues.FromString(content).values}


def decode_values(content: bytes, *, types: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return serialised NamedValues as Python values by name, by their types as far as these are given."""
    reader = _reader(types or {})
    return {name: reader(name, value) for name, value in named_values(content).items()}


def _reader(types: Mapping[str, Any]) -> Callable[[str, Value], Any]:
    from flyte.types.codecs import codec_for
    from flyte.types.natural import read_natural

    def read(name: str, value: Value) -> Any:
        return codec_for(types[name]).decode(value) if name in types else read_natural(value)

    return read


def _assignments(items: Iterable[tuple[str, Any]]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in items)
