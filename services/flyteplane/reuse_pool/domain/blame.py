"""Whose fault it was that a replica went down, and which actions are kept from doing it again.

A replica that crashes with one attempt on it, or with one that did not wait, was taken down by that attempt. With
several at work nobody can say: each of them is under suspicion and runs alone the next time, so that a second crash
tells. An action that has taken down as many replicas as the operator allows is in quarantine: no pool runs it again.

The ledger is bounded; what was noted longest ago is forgotten first.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from flyteplane.reuse_pool.domain.attempt import Attempt
from flyteplane.reuse_pool.domain.replica import ReplicaEnd

_MOST_NOTED: Final = 10_000


def culprit_of(attempts: Sequence[Attempt], end: ReplicaEnd) -> Attempt | None:
    """The attempt that took its replica down, as far as can be known."""
    if not end.known or end.taken_away:
        return None
    if len(attempts) == 1:
        return attempts[0]
    at_work = [attempt for attempt in attempts if not attempt.calls]
    return at_work[0] if len(at_work) == 1 else None


class BlameLedger:
    """What is held against actions, by run and name."""

    __slots__ = ("_kills", "_kills_to_quarantine", "_most", "_suspects")

    def __init__(self, *, kills_to_quarantine: int, most: int = _MOST_NOTED) -> None:
        self._kills: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._suspects: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._kills_to_quarantine = kills_to_quarantine
        self._most = most

    def note_kill(self, attempt: Attempt) -> bool:
        """Note that an attempt took a replica down. Returns whether its action is in quarantine now."""
        key = (attempt.run, attempt.action)
        self._kills[key] = self._kills.pop(key, 0) + 1
        if len(self._kills) > self._most:
            self._kills.popitem(last=False)
        return self._kills[key] >= self._kills_to_quarantine

    def note_suspects(self, attempts: Sequence[Attempt]) -> None:
        """Note attempts of which one took a replica down."""
        for attempt in attempts:
            self._suspects[(attempt.run, attempt.action)] = None
        while len(self._suspects) > self._most:
            self._suspects.popitem(last=False)

    def note_end(self, attempt: Attempt) -> None:
        """Note that an attempt came to its end without taking its replica down."""
        if self._suspects:
            self._suspects.pop((attempt.run, attempt.action), None)
        if self._kills:
            self._kills.pop((attempt.run, attempt.action), None)

    def is_suspect(self, run: str, action: str) -> bool:
        """Whether an action has to run alone."""
        return bool(self._suspects or self._kills) and ((run, action) in self._suspects or (run, action) in self._kills)

    def kills(self, run: str, action: str) -> int:
        """How many replicas an action took down."""
        return self._kills.get((run, action), 0) if self._kills else 0

    def is_quarantined(self, run: str, action: str) -> bool:
        """Whether no pool runs the action again."""
        return self.kills(run, action) >= self._kills_to_quarantine
