"""Metadata of the calls that one piece of code makes: for services that act in the name of whoever asks them.

It holds inside of a `with`, and there only for the code that runs in it: other tasks and threads keep their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeAlias

Metadata: TypeAlias = tuple[tuple[str, str], ...]

_of_calls: Final[ContextVar[Metadata]] = ContextVar("flyte_call_metadata", default=())


@contextmanager
def auth_metadata(*kv: tuple[str, str]) -> Iterator[None]:
    """Send these pairs with every call to the platform that is made inside.

    `("authorization", "Bearer ...")` takes the place of the process's own credential. Pairs of an enclosing
    `auth_metadata` do not go along. Raises ValueError without any pair, TypeError for what is no pair of texts.
    """
    if not kv:
        raise ValueError("auth_metadata needs at least one pair, such as ('authorization', 'Bearer ...')")
    for pair in kv:
        if not isinstance(pair, tuple) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise TypeError("auth_metadata takes pairs of texts, such as ('authorization', 'Bearer ...')")
    before = _of_calls.set(tuple((name.lower(), value) for name, value in kv))
    try:
        yield
    finally:
        _of_calls.reset(before)


def call_metadata() -> Metadata:
    """Return what goes with the calls that are made here."""
    return _of_calls.get()
