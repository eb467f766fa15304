"""What traced functions returned in earlier attempts of an action of this run."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from flyte.authoring.controller import TraceCall, TraceOutcome

if TYPE_CHECKING:
    from flyte.authoring.context import TaskContextData

_Key = tuple[str, str, bytes]


class TraceMemory:
    """Outcomes by action, function and inputs; the n-th such call of an attempt is the n-th of those before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: dict[_Key, list[TraceOutcome]] = {}
        self._recalled: Counter[tuple[_Key, int]] = Counter()

    def recall(self, call: TraceCall, *, of: TaskContextData | None) -> TraceOutcome | None:
        """Return how this call ended before; None if it has to be run."""
        key, attempt = _key(call, of)
        with self._lock:
            known = self._outcomes.get(key, [])
            position = self._recalled[key, attempt]
            self._recalled[key, attempt] += 1
            return known[position] if position < len(known) else None

    def record(self, call: TraceCall, outcome: TraceOutcome, *, of: TaskContextData | None) -> None:
        """Remember how a call ended."""
        with self._lock:
            self._outcomes.setdefault(_key(call, of)[0], []).append(outcome)


def _key(call: TraceCall, of: TaskContextData | None) -> tuple[_Key, int]:
    from flyte.spec.digests import canonical_bytes
    from flyte.types.codecs import codec_for

    digest = hashlib.sha256()
    for name, value in call.inputs.items():
        digest.update(name.encode() + b"\0" + canonical_bytes(codec_for(Any).encode(value, name=name)) + b"\0")
    action = of.task_context.action.name if of else ""
    return (action, call.name, digest.digest()), of.task_context.attempt_number if of else 0
