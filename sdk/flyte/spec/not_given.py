"""The sentinel that tells "this parameter was not given" from every value a user can write.

`retries=0`, `timeout=0`, `env={}` and `secrets=[]` are values that replace what a more general level says, so neither
`None` nor falsiness can stand for absence. `is_given` is the only test of it: a peer program passes `None` for
"nothing to say here", therefore `None` counts as not given as well.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeGuard, TypeVar

T = TypeVar("T")


class NotGiven(Enum):
    """The type of `NOT_GIVEN`; an enum, so that identity survives pickling and type checkers can narrow on it."""

    NOT_GIVEN = "not given"

    def __repr__(self) -> str:
        return "NOT_GIVEN"

    def __bool__(self) -> Literal[False]:
        return False


NOT_GIVEN: Final = NotGiven.NOT_GIVEN


def is_given(value: T | NotGiven | None) -> TypeGuard[T]:
    """Tell whether a parameter carries a value, an empty or zero one included."""
    return value is not None and value is not NOT_GIVEN
