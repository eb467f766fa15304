"""Opens the coordination store that the operator named."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flyteplane.coordination import Coordination, EtcdSettings
    from flyteplane.foundation.clock import TimerClock


async def open_etcd(settings: EtcdSettings, *, clock: TimerClock, stack: AsyncExitStack) -> Coordination:
    """Connect to etcd; closed with `stack`.

    Raises Unavailable, Unauthenticated, PermissionDenied, FailedPrecondition: why it cannot be used.
    """
    from flyteplane.coordination import EtcdCoordination

    coordination = await EtcdCoordination.open(settings, clock=clock)
    stack.push_async_callback(coordination.close)
    return coordination
