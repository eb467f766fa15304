"""Classes of every kind that a task may take or return."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, NotRequired, TypedDict, TypeVar

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


class Mode(enum.StrEnum):
    FAST = "f"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass
class Inner:
    a: int
    b: str | None = None


@dataclass
class Outer:
    x: int
    y: float = 2.0
    inner: Inner = field(default_factory=lambda: Inner(1))
    rows: list[Inner] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    when: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    label: str = None  # type: ignore[assignment]  # programs do write this


@dataclass
class SubInner(Inner):
    c: int = 0


@dataclass(frozen=True)
class Box(Generic[T]):
    value: T
    seen: int = field(default=0, init=False)


@dataclass
class Tree:
    value: int
    children: list[Tree] = field(default_factory=list)
    parent: Tree | None = None


class Pair(NamedTuple):
    a: int
    b: str = "q"


class Row(TypedDict):
    a: int
    b: NotRequired[str]


class Opaque:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)
