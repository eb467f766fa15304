"""Free JSON as a value: what tasks that take anything, or plain dicts and lists, are given."""

from __future__ import annotations

import json
from typing import Any, Final

from flyteapi.task.v1.value_pb2 import Value
from flyteplane.console.launch.texts import NotReadable

_PACKED: Final[dict[type, str]] = {int: "ints", float: "floats", str: "strings"}
_MOST_LEVELS: Final = 25
"""A message nested more deeply is refused by readers."""


def write_json(message: Value, text: str) -> None:
    """Write the value of a JSON text. Raises NotReadable."""
    try:
        document = json.loads(text)
    except RecursionError:
        raise NotReadable(f"At most {_MOST_LEVELS} levels of lists and objects.") from None
    except ValueError as error:
        raise NotReadable(f"This is no JSON: {error}.") from None
    write_natural(message, document)


def write_natural(message: Value, value: Any, *, levels: int = _MOST_LEVELS) -> None:
    """Write what `json.loads` returns, in the form that the SDK itself writes. Raises NotReadable."""
    if levels == 0:
        raise NotReadable(f"At most {_MOST_LEVELS} levels of lists and objects.")
    match value:
        case None:
            message.none.SetInParent()
        case bool():
            message.bool = value
        case int():
            _write_int(message, value)
        case float():
            message.float = value
        case str():
            message.string = _whole(value)
        case list():
            write_items(message, value, levels=levels)
        case _:
            message.map.SetInParent()
            for key, element in value.items():
                entry = message.map.entries.add()
                entry.key.string = _whole(key)
                write_natural(entry.value, element, levels=levels - 1)


def write_items(message: Value, items: list[Any], *, levels: int) -> None:
    """Write a list; whole numbers, numbers and texts are packed."""
    kinds = {type(item) for item in items}
    packed = _PACKED.get(kinds.pop()) if len(kinds) == 1 else None
    if packed is not None:
        try:
            getattr(message, packed).items.extend(items)
            return
        except ValueError:  # beyond 64 bits, or half of a character
            message.Clear()
    message.list.SetInParent()
    for item in items:
        write_natural(message.list.items.add(), item, levels=levels - 1)


def _write_int(message: Value, value: int) -> None:
    if -(2**63) <= value < 2**63:
        message.int = value
    else:
        message.big_int = str(value)


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotReadable("A text holds half of a character.") from None
    return text
