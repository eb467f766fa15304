"""What the worker writes past its own capture: output of programs that it starts, of C code, of a dying interpreter.

Nothing has masked it yet, and it may come before the attempt is known to which it belongs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyte.spec.masking import Mask, MaskedStream


class RawOutput:
    """Masks output, and holds it back until it is known whose it is.

    Args:
        show: takes what may be seen.
    """

    def __init__(self, show: Callable[[bytes], None]) -> None:
        self._show = show
        self._early: list[bytes] | None = []
        self._masked: MaskedStream | None = None
        self._timer: asyncio.TimerHandle | None = None

    def belongs_to(self, mask: Mask | None) -> None:
        """From now on it is the output of an attempt, with these values to hide."""
        self._masked = mask.stream() if mask is not None else None
        early, self._early = self._early, None
        for data in early or ():
            self.write(data)

    def write(self, data: bytes) -> None:
        """Takes output. An end that could be the beginning of a value waits for what comes next, or for a pause."""
        if self._early is not None:
            self._early.append(data)
        elif self._masked is None:
            self._show(data)
        else:
            self._stop_timer()
            self._show(self._masked.feed(data))
            if self._masked.may_release:
                from flyte.spec.masking import RELEASE_AFTER_S

                self._timer = asyncio.get_running_loop().call_later(RELEASE_AFTER_S, self._release)

    def finish(self) -> None:
        """Shows what still waits: nothing comes after it."""
        if self._early is not None:
            self.belongs_to(None)
        self._stop_timer()
        if self._masked is not None:
            self._show(self._masked.finish())

    def _release(self) -> None:
        self._timer = None
        if self._masked is not None:
            self._show(self._masked.release())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
