"""Conditions of lists that this platform cannot keep: they are refused, because a list without them would be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

SortBy = tuple[str, Literal["asc", "desc"]]


def refuse_filters(given: Mapping[str, object], *, of: str) -> None:
    """Raise ValueError for the first condition that is set; `of` names the list."""
    for name, value in given.items():
        if value:
            raise ValueError(f"{of}({name}=...) is not supported: leave it out, and choose from what is listed.")


def check_order(sort_by: SortBy | None, *, keeps: SortBy, of: str) -> None:
    """Raise ValueError for another order than the one that a list always has."""
    if sort_by not in (None, keeps):
        raise ValueError(
            f"{of}(sort_by={sort_by!r}) is not supported: the order is {keeps!r}. Use sorted() for any other."
        )
