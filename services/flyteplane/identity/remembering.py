"""Remembers for some seconds whose a credential is, under its digest.

A call then costs a look into a dictionary. A key that is revoked through this process is refused at once, and one that
is revoked through another process once `FRESH_S` have passed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from flyteplane.foundation.clock import Clock
from flyteplane.identity.callers import Caller
from flyteplane.identity.revocations import Revocations

FRESH_S: Final = 5.0
_MOST_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Known:
    """Whose a credential is."""

    caller: Caller
    expires_at: float | None = None
    """Seconds since the epoch; None: it does not end by itself."""


#: Whose a credential is. Raises Unauthenticated, Unavailable.
Ask: TypeAlias = Callable[[str], Awaitable[Known]]


class RememberingAuthenticator:
    """Implements `flyteplane.identity.credentials.Authenticator`. One for each process."""

    def __init__(self, ask: Ask, *, revocations: Revocations, clock: Clock) -> None:
        self._ask = ask
        self._revocations = revocations
        self._clock = clock
        self._callers: dict[bytes, tuple[Caller, float, int]] = {}

    async def authenticate(self, credential: str) -> Caller:
        """See the port."""
        mark = hashlib.sha256(credential.encode()).digest()
        caller, until, count = self._callers.get(mark, (None, 0.0, 0))
        if caller is not None and count == self._revocations.count and self._clock.monotonic() < until:
            return caller
        # Asked of what was taken away while the answer was under way, the next call asks again.
        count = self._revocations.count
        known = await self._ask(credential)
        left_s = FRESH_S if known.expires_at is None else known.expires_at - self._clock.now()
        self._callers.pop(mark, None)
        self._callers[mark] = (known.caller, self._clock.monotonic() + min(left_s, FRESH_S), count)
        while len(self._callers) > _MOST_REMEMBERED:
            self._callers.pop(next(iter(self._callers)))
        return known.caller

    async def changed(self) -> None:
        """See the port."""
        await self._revocations.wait()
