"""What a replica's worker writes: for the container's log all of it, for each attempt what is known to be its own.

What attempts print comes from the worker attempt by attempt, already masked. What programs write that they start, or C
code, comes through the worker's output without a name: it is the only attempt's that is at work. Where several are, or
none, it is in the container's log alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flyte.runner.pod.outbox import Outbox
from flyte.runner.pod.raw_output import RawOutput
from flyte.runner.pod.tee import Tee
from flyte.spec.masking import Mask


class ReplicaOutput:
    """Shows output and hands it on.

    Args:
        only_lease: the attempt that is at work if there is exactly one; 0 otherwise.
    """

    def __init__(self, *, outbox: Outbox, tee: Tee, only_lease: Callable[[], int]) -> None:
        self._outbox = outbox
        self._tee = tee
        self._only_lease = only_lease
        self._values: frozenset[bytes] = frozenset()
        self._raw = RawOutput(self._show_raw)
        # There are no secrets before the first attempt, so nothing has to wait for it.
        self._raw.belongs_to(None)
        self.may_drop = True
        """Whether output beyond the outbox's room is dropped; otherwise the worker waits."""

    def hide(self, *secrets: Mapping[str, bytes]) -> None:
        """From now on these values may occur in what is written, beside those before."""
        values = self._values.union(*(some.values() for some in secrets))
        if values != self._values:
            self._values = values
            self._raw.finish()
            self._raw.belongs_to(Mask.of(values))

    def captured(self, data: bytes, *, lease: int, is_stderr: bool) -> None:
        """An attempt has printed something."""
        self._tee.write(data)
        self._outbox.add_output(data, lease=lease, is_stderr=is_stderr, may_drop=self.may_drop)

    def wrote(self, data: bytes) -> None:
        """Something was written past the capture of attempts."""
        self._raw.write(data)

    def attempt_ends(self) -> None:
        """The end of an attempt is about to be told: what was held back of its output comes before."""
        # Beside others it could be the beginning of a secret that another one is writing.
        if self._only_lease():
            self._raw.finish()

    def finish(self) -> None:
        """Nothing comes any more."""
        self._raw.finish()

    def _show_raw(self, data: bytes) -> None:
        if not data:
            return
        self._tee.write(data)
        if lease := self._only_lease():
            self._outbox.add_output(data, lease=lease, is_stderr=False, may_drop=self.may_drop)
