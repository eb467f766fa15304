"""The audit log as admin keeps it: what the edges send is written, read a page at a time, and forgotten in the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flyteplane.admin.application.identity_ports import AuditStore
from flyteplane.admin.domain.audit import AuditFilter
from flyteplane.admin.domain.page_token import PageTokens
from flyteplane.foundation.clock import Clock
from flyteplane.identity.audit import AuditRecord
from flyteplane.rpc.list_pages import page_size

_FORGET_EVERY_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """A page, newest first, and the token of the next one; the token is empty on the last page."""

    records: Sequence[AuditRecord]
    next_token: str


class AuditTrail:
    """The use cases. One instance serves all calls.

    Args:
        keep_s: how long records are kept.
    """

    def __init__(self, *, store: AuditStore, tokens: PageTokens, clock: Clock, keep_s: float) -> None:
        self._store = store
        self._tokens = tokens
        self._clock = clock
        self._keep_s = keep_s
        self._forget_at = 0.0

    async def write(self, records: Sequence[AuditRecord]) -> None:
        """Write records down, all or none."""
        await self._store.add(records)
        now = self._clock.monotonic()
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY_S
            await self._store.forget(before_us=int((self._clock.now() - self._keep_s) * 1e6))

    async def page(self, wanted: AuditFilter, *, size: int, token: str) -> AuditPage:
        """A page. Raises InvalidArgument (PAGE_SIZE, PAGE_TOKEN)."""
        limit, query = page_size(size), repr(("audit", wanted))
        position = self._tokens.read(token, query=query)
        found = await self._store.page(wanted, before=int(position) if position else None, limit=limit + 1)
        page = found[:limit]
        more = str(page[-1][0]) if len(found) > limit else ""
        return AuditPage(records=[record for _, record in page], next_token=self._tokens.make(more, query=query))
