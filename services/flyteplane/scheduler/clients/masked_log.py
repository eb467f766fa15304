"""What a worker with secrets writes past its own capture, on its way to the log: values of the secrets are masked.

Output of programs that a task starts, of C code and of a dying interpreter comes through the worker's pipe as it was
written. Only the side that placed the worker can mask it. It keeps a mask for that as long as the worker lives, and not
the values themselves, which it has handed over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flyte.spec.masking import RELEASE_AFTER_S, Mask


class MaskedLog:
    """Masks output that comes piece by piece.

    Args:
        append: adds to the log.
    """

    def __init__(self, mask: Mask, *, append: Callable[[bytes], None]) -> None:
        self._stream = mask.stream()
        self._append = append
        self._timer: asyncio.TimerHandle | None = None

    def write(self, data: bytes) -> None:
        """Adds output. An end that could be the beginning of a value waits for what comes next, or for a pause."""
        self._stop_timer()
        self._show(self._stream.feed(data))
        if self._stream.may_release:
            self._timer = asyncio.get_running_loop().call_later(RELEASE_AFTER_S, self._release)

    def close(self) -> None:
        """Adds what still waits: nothing comes after it."""
        self._stop_timer()
        self._show(self._stream.finish())

    def _release(self) -> None:
        self._timer = None
        self._show(self._stream.release())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _show(self, data: bytes) -> None:
        if data:
            self._append(data)
