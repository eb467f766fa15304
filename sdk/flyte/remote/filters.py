"""Conditions and orders of lists: what the platform does not keep is refused, or brought about here."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

Item = TypeVar("Item")

SortBy = tuple[str, Literal["asc", "desc"]]

_DIRECTIONS: Final = ("asc", "desc")


def refuse_filters(given: Mapping[str, object], *, of: str) -> None:
    """Raise ValueError for the first condition that is set; `of` names the list."""
    for name, value in given.items():
        if value:
            raise ValueError(f"{of}({name}=...) is not supported: leave it out, and choose from what is listed.")


@dataclass(frozen=True, slots=True)
class Order(Generic[Item]):
    """The order in which a list is wanted, of the entries that the platform gives in its own.

    Any other order than the platform's needs the whole list first, which is read, sorted and cut here.
    """

    wanted: SortBy | None
    kept: SortBy
    keys: Mapping[str, Callable[[Item], Any]]

    def check(self, *, of: str) -> None:
        """Raise ValueError for a field or a direction that there is not; `of` names the list."""
        if self.is_kept:
            return
        match self.wanted:
            case (str(field), str(direction)) if field in self.keys and direction in _DIRECTIONS:
                return
        raise ValueError(
            f"{of}(sort_by={self.wanted!r}) is no order: write (FIELD, 'asc') or (FIELD, 'desc') with one of "
            f"{', '.join(self.keys)}."
        )

    @property
    def is_kept(self) -> bool:
        """Whether it is the platform's own."""
        return self.wanted is None or self.wanted == self.kept

    def needed(self, limit: int) -> int:
        """Return how many entries have to be asked for if `limit` are wanted."""
        return limit if self.is_kept else sys.maxsize

    async def of(self, listed: AsyncIterator[Item], *, limit: int = sys.maxsize) -> AsyncIterator[Item]:
        """Yield what is listed in the order that is wanted, at most `limit`."""
        if self.wanted is None or self.wanted == self.kept:
            async for item in listed:
                yield item
            return
        field, direction = self.wanted
        entries = [item async for item in listed]
        for item in sorted(entries, key=self.keys[field], reverse=direction == "desc")[: max(limit, 0)]:
            yield item


def seconds_of(field: str) -> Callable[[Any], int]:
    """Return what sorts messages by a time; one that is not set is before all."""
    return lambda message: int(getattr(message, field).ToNanoseconds())
