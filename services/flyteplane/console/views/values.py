"""Inputs and outputs for people: each as JSON, as far as a page should show it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from flyteapi.task.v1.value_pb2 import NamedValues
from flyteplane.console.launch.trees import NotShown, json_of, tree_of

if TYPE_CHECKING:
    from flyteapi.task.v1.interface_pb2 import Parameter

#: Characters of one value on a page.
MOST_SHOWN: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueView:
    """A value with its name."""

    name: str
    type_name: str
    text: str
    cut: bool
    """There is more of it."""


def values_of(content: bytes, declared: Sequence[Parameter]) -> list[ValueView]:
    """The values of a payload. What cannot be read says so in its place."""
    try:
        named = NamedValues.FromString(content).values
    except DecodeError:
        return [ValueView(name="", type_name="", text="These values cannot be read.", cut=False)]
    types = {parameter.name: parameter.type_name for parameter in declared}
    shown = []
    for each in named:
        try:
            text = json.dumps(json_of(tree_of(each.value)), ensure_ascii=False, indent=2)
        except (NotShown, RecursionError) as error:
            text = str(error).removesuffix(", kept as it is.") if isinstance(error, NotShown) else "Nested too deeply."
        name = types.get(each.name, "")
        shown.append(ValueView(name=each.name, type_name=name, text=text[:MOST_SHOWN], cut=len(text) > MOST_SHOWN))
    return shown
