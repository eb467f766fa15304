"""The output of an attempt that has secrets: their values are masked, also where one comes in several writes.

Standard output and error are one text here, as they are in the log: a value that is written half to the one and half
to the other is recognised. An end that could be the beginning of a value waits for what comes next. It goes out with
it, or after a short pause if it is too short to tell anything, or at the end of the attempt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from flyte.spec.masking import RELEASE_AFTER_S, Mask

Piece: TypeAlias = tuple[bool, bytes]
"""Whether it was written to stderr, and what."""


class MaskedOutput:
    """Masks pieces of output, in order; not for several threads at once.

    Args:
        now: a clock that never goes back, in seconds.
    """

    def __init__(self, mask: Mask, *, now: Callable[[], float] = time.monotonic) -> None:
        self._stream = mask.stream()
        self._now = now
        self._is_stderr = False
        self._release_at: float | None = None

    @property
    def is_due(self) -> bool:
        """Whether an end has waited for long enough to be taken out, with or without further output."""
        return self._release_at is not None and self._now() >= self._release_at

    def take(self, pieces: Sequence[Piece]) -> list[Piece]:
        """Takes further output, perhaps none; returns what can be shown by now."""
        shown: list[Piece] = []
        for is_stderr, data in pieces:
            self._is_stderr = is_stderr
            shown.append((is_stderr, self._stream.feed(data)))
        if pieces:
            self._release_at = self._now() + RELEASE_AFTER_S if self._stream.may_release else None
        elif self.is_due:
            self._release_at = None
            shown.append((self._is_stderr, self._stream.release()))
        return shown

    def finish(self) -> list[Piece]:
        """Returns what still waits: nothing comes after it."""
        self._release_at = None
        return [(self._is_stderr, self._stream.finish())]
