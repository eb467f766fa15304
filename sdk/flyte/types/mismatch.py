"""How a value that does not fit its annotation is reported.

Codecs raise `TypeTransformerFailedError` from the depth where the value does not fit; every level on the way up adds
where that was. The surface turns it once into the TypeError that users of the peer SDK know, with the variable's name.
"""

from __future__ import annotations

from types import CoroutineType
from typing import Any, Final

MAX_SHOWN_CHARACTERS: Final = 500
"""Longer representations of a value are cut in messages."""


class TypeTransformerFailedError(TypeError, AssertionError, ValueError):
    """A value cannot be converted to or from its annotation."""

    def __init__(self, reason: str, *, path: str = "") -> None:
        super().__init__(f"At {path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path
        """Where inside the value, for example `.rows[3].name`; empty for the value itself."""

    def inside(self, step: str) -> TypeTransformerFailedError:
        """Return the same failure as seen from one level further out."""
        return TypeTransformerFailedError(self.reason, path=step + self.path)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.reason, self.path))


def wrong_type(expected: Any, value: object) -> TypeTransformerFailedError:
    """Return the failure of a value whose type is not the expected one."""
    reason = f"Expected value of type {expected} but got '{shown(value, text=str)}' of type {type(value)}"
    if isinstance(value, CoroutineType):
        reason += ". Nobody awaited it: write `await` before the call that made it"
    return TypeTransformerFailedError(reason)


def conversion_error(name: str, expected: Any, value: object, failure: BaseException) -> TypeError:
    """Return the error that a caller sees when the variable `name` cannot be converted."""
    return TypeError(
        f"Type conversion failed for variable '{name}'.\n"
        f"Expected type: {expected}\n"
        f"Actual type: {type(value)}\n"
        f"Value received: {shown(value)}\n"
        f"Reason: {failure}"
    )


def shown(value: object, *, text: Any = repr) -> str:
    """Return a value as text of a bearable length, whatever its own `__repr__` does."""
    try:
        whole = str(text(value))
    except Exception as error:
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    if len(whole) <= MAX_SHOWN_CHARACTERS:
        return whole
    return f"{whole[:MAX_SHOWN_CHARACTERS]}... ({len(whole)} characters)"


def _rebuild(reason: str, path: str) -> TypeTransformerFailedError:
    return TypeTransformerFailedError(reason, path=path)
