"""Opens the coordination store that the operator named.

All parts of a deployment start at once, so a store that is away is waited for, and the log names it and says why. One
that is there and refuses us is believed.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from flyteplane.foundation.errors import Unavailable
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from flyteplane.coordination import Coordination, EtcdSettings
    from flyteplane.foundation.clock import TimerClock

_log = get_logger("launcher")

#: A store that is away for longer is told of by ending: what names it may be wrong.
PATIENCE_S: Final = 300.0
_PAUSE_S: Final = 1.0


async def open_etcd(
    settings: EtcdSettings, *, clock: TimerClock, stack: AsyncExitStack, patience_s: float = PATIENCE_S
) -> Coordination:
    """Connect to etcd, once it is there; closed with `stack`.

    Raises Unavailable, Unauthenticated, PermissionDenied, FailedPrecondition: why it cannot be used.
    """
    from flyteplane.coordination import EtcdCoordination

    until = clock.monotonic() + patience_s
    while True:
        try:
            coordination = await EtcdCoordination.open(settings, clock=clock)
        except Unavailable as error:
            if clock.monotonic() >= until:
                raise
            _log.warning("waiting_for_coordination_store", problem=error.public_text)
            await clock.sleep(_PAUSE_S)
        else:
            stack.push_async_callback(coordination.close)
            return coordination
