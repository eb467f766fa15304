"""Pickles that are looked at and not opened.

Opening a pickle runs whatever its maker put into it. A program that asks for the outputs of a run asks for their
objects; a command that only shows what somebody's run has does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

_kept_closed: ContextVar[bool] = ContextVar("flyte_pickles_kept_closed", default=False)


@dataclass(frozen=True, slots=True)
class ClosedPickle:
    """What is known of a pickle without opening it."""

    pickle_of: str
    size_bytes: int

    def __repr__(self) -> str:
        return f"<pickle of {self.pickle_of}, {self.size_bytes} bytes>"


@contextmanager
def pickles_kept_closed() -> Iterator[None]:
    """Values that are read meanwhile have a `ClosedPickle` where there is a pickle."""
    before = _kept_closed.set(True)
    try:
        yield
    finally:
        _kept_closed.reset(before)


def are_kept_closed() -> bool:
    """Whether pickles are not to be opened."""
    return _kept_closed.get()
