"""The audit log: takes records from calls without making them wait, and writes them down in batches.

What may be lost, and what not:

    a killed process    what happened in its last second; what was changed is in the stores themselves
    admin is away       nothing while at most `MOST_WAITING` records wait; beyond that the newest are lost, and one
                        record says how many
    strangers           refusals of calls without a proven caller are counted: one record for each rpc and batch, so
                        that nobody fills the disk from outside
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import PlatformError
from flyteplane.identity.audit import NOBODY, AuditRecord
from flyteplane.identity.callers import EVERYWHERE
from flyteplane.observe import get_logger

#: How long records are collected.
COLLECT_S: Final = 0.3
MOST_WAITING: Final = 10_000
_MOST_AT_ONCE: Final = 1_000
_AGAIN_S: Final = 5.0
_LOST: Final = "flyteplane.AuditLog/Lost"
_log = get_logger("identity")

#: Writes records down, all or none. Raises PlatformError if it cannot.
Write: TypeAlias = Callable[[Sequence[AuditRecord]], Awaitable[None]]


class AuditLog:
    """Implements `AuditSink`. One for each process."""

    def __init__(self, write: Write, *, clock: TimerClock) -> None:
        self._write = write
        self._clock = clock
        self._waiting: list[AuditRecord] = []
        self._of_strangers: Counter[tuple[str, str]] = Counter()
        self._lost = 0
        self._some = asyncio.Event()

    def record(self, entry: AuditRecord) -> None:
        """See the port."""
        if entry.subject == NOBODY:
            self._of_strangers[entry.method, entry.status] += 1
        elif len(self._waiting) < MOST_WAITING:
            self._waiting.append(entry)
        else:
            self._lost += 1
        self._some.set()

    async def run(self) -> None:
        """Write down what is recorded, until cancelled."""
        while True:
            await self._some.wait()
            await self._clock.sleep(COLLECT_S)
            if not await self.flush():
                await self._clock.sleep(_AGAIN_S)

    async def flush(self) -> bool:
        """Write down what waits; whether it is written. What could not be written goes on waiting."""
        self._some.clear()
        records, self._waiting = self._waiting, []
        strangers, self._of_strangers = self._of_strangers, Counter()
        lost, self._lost = self._lost, 0
        counted = self._counted(strangers, lost)
        try:
            while records:
                await self._write(records[:_MOST_AT_ONCE])
                del records[:_MOST_AT_ONCE]
            if counted:
                await self._write(counted)
            counted = []
        except PlatformError as error:
            _log.warning("audit_log_not_written", waiting=len(records), problem=error.public_text)
        finally:
            # Also when it is cancelled: what is not known to be written is written by the last flush, twice at worst.
            self._waiting[:0] = records
            if counted:
                self._of_strangers.update(strangers)
                self._lost += lost
        if records or counted:
            self._some.set()
        return not records and not counted

    def _counted(self, strangers: Counter[tuple[str, str]], lost: int) -> list[AuditRecord]:
        one = AuditRecord(
            at_us=int(self._clock.now() * 1e6), subject=NOBODY, method="", target="", status="", scope=EVERYWHERE
        )
        counted = [
            replace(one, method=method, status=status, target=f"{times} times" if times > 1 else "")
            for (method, status), times in strangers.items()
        ]
        if lost:
            counted.append(replace(one, method=_LOST, status="DATA_LOSS", target=f"{lost} records"))
        return counted
