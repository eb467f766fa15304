"""Where a piece of work stands in a distributed trace: the W3C `traceparent`, and the identities derived from it.

A run is given one context when it is submitted, and keeps it. The identity of every span below is derived from it, so
that a worker knows the span of its attempt before anybody has written that span, and nothing has to be sent for it.
"""

import re
from dataclasses import dataclass
from typing import Final

TRACE_PARENT: Final = "traceparent"
"""The key of the context among the metadata of a call."""
TRACE_PARENT_VARIABLE: Final = "TRACEPARENT"
"""The environment variable in which programs are given theirs."""

_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span of a trace, as those who work below it are told of it."""

    trace_id: str
    """32 hexadecimal digits, not all zero."""
    span_id: str
    """16 hexadecimal digits, not all zero."""
    sampled: bool = True
    """Its spans are to be recorded."""

    @classmethod
    def parse(cls, header: str) -> "TraceContext | None":
        """Read a `traceparent`; None for what is none, which by the standard counts as no context at all."""
        found = _FORM.fullmatch(header)
        if found is None:
            return None
        version, trace_id, span_id, flags, more = found.groups()
        if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
            return None
        return cls(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))

    def __str__(self) -> str:
        """The `traceparent`."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"

    def below(self, *path: str | int) -> "TraceContext":
        """The context of a span of the same trace that `path` tells apart from all others; always the same one."""
        return TraceContext(self.trace_id, derived_span_id(self.trace_id, *path), self.sampled)


def derived_span_id(trace_id: str, *path: str | int) -> str:
    """The identity of a span by its trace and what it is of: 16 hexadecimal digits."""
    text = "/".join((trace_id, *map(str, path)))
    import hashlib  # later: a worker in a pod starts without it

    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_context(trace: TraceContext, run: str) -> TraceContext:
    """The span of a run, by its name, in the trace that the run was given."""
    return trace.below("run", run)


def attempt_context(trace: TraceContext, run: str, action: str, attempt: int) -> TraceContext:
    """The span in which the task's own code runs; attempts count from 1."""
    return trace.below("code", run, action, attempt)
