"""Literal types as enums, for those who draw forms or choices of them."""

from __future__ import annotations

import typing
from enum import Enum
from typing import Any


def literal_to_enum(literal_type: Any) -> type[Enum]:
    """Return an enum whose members are the values of `Literal[...]`, each named after its text.

    Raises TypeError for anything that is no Literal.
    """
    if typing.get_origin(literal_type) is not typing.Literal:
        raise TypeError(f"Expected a Literal type, got {literal_type!r}")
    return Enum("LiteralEnum", {str(value): value for value in typing.get_args(literal_type)})  # type: ignore[return-value]
