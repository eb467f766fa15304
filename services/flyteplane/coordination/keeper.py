"""Holding a lease for as long as this process is well.

The keeper renews three times per ttl. It says that the lease is lost as soon as the store says so, or when no renewal
has succeeded for a whole ttl by this process's own clock: the store may have ended the lease by then, so the holder
must stop.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import NotFound, PlatformError
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from flyteplane.coordination.port import Coordination

_log = get_logger("coordination")

#: Renewals in one ttl.
_RENEWALS: Final = 3


class HeldLease:
    """A lease that is kept alive in the background. Made by `hold_lease`.

    Attributes:
        lost: set once, when the lease is no longer held, for whatever reason.
    """

    def __init__(
        self, coordination: "Coordination", *, lease_id: int, ttl_s: float, valid_until: float, clock: TimerClock
    ) -> None:
        self._coordination = coordination
        self._lease_id = lease_id
        self._ttl_s = ttl_s
        self._clock = clock
        self._valid_until = valid_until
        self.lost = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._keep(), name=f"lease {lease_id:x}")

    @property
    def lease_id(self) -> int:
        return self._lease_id

    @property
    def ttl_s(self) -> float:
        return self._ttl_s

    @property
    def valid_until(self) -> float:
        """The monotonic time up to which the lease surely lives, by this process's clock."""
        return self._valid_until

    async def _keep(self) -> None:
        try:
            while not self.lost.is_set():
                remaining = self._valid_until - self._clock.monotonic()
                await self._clock.sleep(min(self._ttl_s / _RENEWALS, max(remaining, 0.0)))
                asked_at = self._clock.monotonic()
                if asked_at >= self._valid_until:
                    _log.error("lease_not_renewed_in_time", lease=f"{self._lease_id:x}")
                    return
                await self._renew(asked_at)
        except NotFound:
            _log.error("lease_ended", lease=f"{self._lease_id:x}")
        finally:
            self.lost.set()

    async def _renew(self, asked_at: float) -> None:
        renewal = asyncio.ensure_future(self._coordination.keep_alive(self._lease_id))
        # The store may hang rather than refuse; the holder's own clock decides all the same.
        expiry = self._clock.call_later(self._valid_until - asked_at, renewal.cancel)
        try:
            ttl_s = await renewal
            self._valid_until = asked_at + ttl_s
        except NotFound:
            raise
        except PlatformError as error:
            _log.warning("lease_not_renewed", lease=f"{self._lease_id:x}", problem=str(error))
        except asyncio.CancelledError:
            if self._clock.monotonic() < self._valid_until:
                renewal.cancel()
                raise
        finally:
            expiry.cancel()

    async def release(self) -> None:
        """Stop renewing and end the lease at once, so that others need not wait. May be called again."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self.lost.set()
        try:
            await self._coordination.revoke(self._lease_id)
        except PlatformError as error:
            _log.warning("lease_ends_by_itself", lease=f"{self._lease_id:x}", problem=str(error))


async def hold_lease(coordination: "Coordination", *, ttl_s: float, clock: TimerClock) -> HeldLease:
    """Grant a lease and keep it alive until `release`. Raises Unavailable."""
    # The lease begins some time after this moment, so counting from here errs on the safe side.
    valid_until = clock.monotonic() + ttl_s
    lease_id = await coordination.grant(ttl_s)
    return HeldLease(coordination, lease_id=lease_id, ttl_s=ttl_s, valid_until=valid_until, clock=clock)
