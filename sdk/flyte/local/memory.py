"""What the attempts of one action leave for the attempts after them: traced calls, and children that were begun.

An attempt that is tried again makes the same calls. As on a platform it is given the results that are there, also those
that are failures, and is attached to children that still run.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from flyte.authoring.controller import TraceCall, TraceOutcome
from flyte.local.leftovers import end_leftovers, tasks_of_attempt
from flyte.types.untyped_values import decode_untyped, encode_untyped

_Key = tuple[str, bytes]


class ActionMemory:
    """Of one action, for as long as it lives."""

    def __init__(self) -> None:
        self._traces: list[tuple[_Key, bytes]] = []
        self._lock = threading.Lock()
        self._children: dict[str, asyncio.Task[bytes]] = {}

    def journal(self) -> TraceJournal:
        """Return the traced calls for a new attempt."""
        with self._lock:
            return TraceJournal(tuple(self._traces), keep=self._keep)

    async def child(
        self, name: str, make: Callable[[], Coroutine[Any, Any, bytes]], *, is_over: Callable[[], bool]
    ) -> bytes:
        """Return the outputs of a child, which is begun unless an attempt before has begun it; or raise its error.

        Cancelling the call cancels the child, unless the attempt `is_over`: then the next one may want it.
        """
        child = self._children.get(name)
        if child is None:
            child = self._children[name] = _begin(make())
        try:
            return await asyncio.shield(child)
        except asyncio.CancelledError:
            if not is_over() and not child.done():
                child.cancel()
                del self._children[name]
            raise

    async def close(self) -> None:
        """End the children that still run: the action is over."""
        if self._children:
            await end_leftovers(self._children.values())

    def _keep(self, key: _Key, outcome: bytes) -> None:
        with self._lock:
            self._traces.append((key, outcome))


class TraceJournal:
    """The traced calls of one attempt: each call of the attempts before is given back once, in its order."""

    def __init__(self, known: Iterable[tuple[_Key, bytes]], *, keep: Callable[[_Key, bytes], None]) -> None:
        self._known: dict[_Key, deque[bytes]] = defaultdict(deque)
        self._keep = keep
        for key, outcome in known:
            self._known[key].append(outcome)

    def recall(self, call: TraceCall) -> TraceOutcome | None:
        """Return how this call ended before; None if it has to be run."""
        outcomes = self._known.get(_key(call)) if self._known else None
        if not outcomes:
            return None
        value, *items = decode_untyped(outcomes.popleft())
        return TraceOutcome(value=value, items=tuple(items))

    def record(self, call: TraceCall, outcome: TraceOutcome) -> None:
        """Keep how a call ended, for the attempts to come."""
        self._keep(_key(call), encode_untyped([("value", outcome.value), *(("item", item) for item in outcome.items)]))


def _begin(work: Coroutine[Any, Any, bytes]) -> asyncio.Task[bytes]:
    # It belongs to the action: what ends with the attempt that happens to begin it is something else.
    context = contextvars.copy_context()
    context.run(tasks_of_attempt.set, None)
    child: asyncio.Task[bytes] = context.run(asyncio.ensure_future, work)
    child.add_done_callback(_see)
    return child


def _see(child: asyncio.Task[bytes]) -> None:
    # A failure that nobody asks for any more is no reason for asyncio to complain.
    if not child.cancelled():
        child.exception()


def _key(call: TraceCall) -> _Key:
    return call.name, hashlib.sha256(encode_untyped(call.inputs.items())).digest()
