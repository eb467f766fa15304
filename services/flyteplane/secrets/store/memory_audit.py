"""The audit trail in memory: for tests."""

from collections.abc import Sequence

from flyteplane.secrets.domain.audit import EVERYTHING, AuditEntry, AuditFilter


class MemoryAudit:
    """Implements `AuditTrail`."""

    def __init__(self) -> None:
        self._entries: dict[int, AuditEntry] = {}
        self._last = 0

    async def record(self, entries: Sequence[AuditEntry]) -> None:
        """See the port."""
        for entry in entries:
            self._last += 1
            self._entries[self._last] = entry

    async def page(
        self, *, limit: int, before: int | None = None, matching: AuditFilter = EVERYTHING
    ) -> Sequence[tuple[int, AuditEntry]]:
        """See the port."""
        newest_first = sorted(self._entries.items(), reverse=True)
        wanted = ((number, entry) for number, entry in newest_first if matching.matches(entry))
        return [(number, entry) for number, entry in wanted if before is None or number < before][:limit]

    async def forget(self, *, before: float) -> int:
        """See the port."""
        old = [number for number, entry in self._entries.items() if entry.at < before]
        for number in old:
            del self._entries[number]
        return len(old)
