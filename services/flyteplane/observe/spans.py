"""Spans as plain values, and what takes them: nothing of OpenTelemetry is loaded to make one.

`Spans` is the port. Offering spans never waits and never fails: what the taker has no room for is dropped and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from flyte.spec.trace_context import TraceContext

Attribute: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of work that is over. Times are seconds since the epoch."""

    name: str
    context: TraceContext
    parent: str = ""
    """Span id of the parent in the same trace; empty for the first of a trace."""
    began: float
    ended: float
    kind: Literal["internal", "server"] = "internal"
    error: str = ""
    """What went wrong; empty for nothing."""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


#: Makes spans once there is time for it, away from the work that they tell of.
MakeSpans: TypeAlias = Callable[[], Iterable[Span]]


class Spans(Protocol):
    """Takes the spans of a process."""

    @property
    def wanted(self) -> bool:
        """Whether it is of any use to offer spans."""

    def offer(self, make: MakeSpans) -> None:
        """Take what `make` makes, later and on another thread: it must only read what changes no more."""


class NoSpans:
    """Takes nothing: no exporter is configured."""

    wanted: Final = False

    def offer(self, make: MakeSpans) -> None:
        """Do nothing."""


class KeptSpans:
    """Keeps all spans in memory, for tests."""

    wanted: Final = True

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def offer(self, make: MakeSpans) -> None:
        """Keep them."""
        self.spans.extend(make())


_current: ContextVar[TraceContext | None] = ContextVar("flyteplane_trace", default=None)


def current_trace() -> TraceContext | None:
    """The trace of the call that is being answered, if it came with one."""
    return _current.get()


def set_current_trace(trace: TraceContext | None) -> None:
    """Say so, for this task and those that it starts."""
    _current.set(trace)
