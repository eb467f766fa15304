"""How the processes of a platform find each other through the coordination store.

    leaders/scheduler/0                    the leader's address, while it serves
    endpoints/<service>/<process>          where a process serves a service

Both belong to leases, so they are gone with their process. When the store is away, everybody goes on with what was
last known: an address that works needs no store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from flyteplane.coordination import hold_lease
from flyteplane.coordination.election import leader_key
from flyteplane.foundation.errors import PlatformError

if TYPE_CHECKING:
    from flyteplane.coordination import Coordination, KeyValue
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.rpc.whereabouts import Whereabouts

_log = logging.getLogger("flyteplane.launcher.discovery")

_ENDPOINTS: Final = "endpoints"
#: How long an endpoint stays known after its process has died.
ENDPOINT_TTL_S: Final = 10.0
#: Pause after the store was away.
_PAUSE_S: Final = 0.5


async def follow_leader(coordination: Coordination, name: str, *, whereabouts: Whereabouts, clock: TimerClock) -> None:
    """Tell `whereabouts` the address of the leader of `name`, and nothing while none serves. Until cancelled."""
    key = leader_key(name)

    def tell(keys: Mapping[str, KeyValue]) -> None:
        held = keys.get(key)
        whereabouts.tell(held.value.decode() if held is not None else "")

    await _follow(coordination, key, tell, clock=clock)


async def follow_service(
    coordination: Coordination, service: str, *, whereabouts: Whereabouts, clock: TimerClock
) -> None:
    """Tell `whereabouts` where a service is; the last known place while it is registered nowhere. Until cancelled."""
    prefix = f"{_ENDPOINTS}/{service}/"

    def tell(keys: Mapping[str, KeyValue]) -> None:
        registered = sorted(keys.values(), key=lambda held: held.create_revision)
        if registered:
            # The newest: a service that one process carries has moved there.
            whereabouts.tell(registered[-1].value.decode())

    await _follow(coordination, prefix, tell, clock=clock)


async def register(
    coordination: Coordination, services: Sequence[str], *, process: str, address: str, clock: TimerClock
) -> None:
    """Keep saying that this process serves `services` at `address`. Until cancelled; then no longer."""
    while True:
        try:
            lease = await hold_lease(coordination, ttl_s=ENDPOINT_TTL_S, clock=clock)
        except PlatformError as error:
            _log.warning("the endpoint is not registered: %s", error)
            await clock.sleep(_PAUSE_S)
            continue
        try:
            for service in services:
                key = f"{_ENDPOINTS}/{service}/{process}"
                await coordination.put(key, address.encode(), lease_id=lease.lease_id)
            await lease.lost.wait()
        except PlatformError as error:
            _log.warning("the endpoint is not registered: %s", error)
            await clock.sleep(_PAUSE_S)
        finally:
            await lease.release()


async def _follow(
    coordination: Coordination, prefix: str, tell: Callable[[Mapping[str, KeyValue]], None], *, clock: TimerClock
) -> None:
    while True:
        try:
            async with coordination.mirror(prefix) as mirror:
                tell(mirror.snapshot)
                async for _ in mirror:
                    tell(mirror.snapshot)
        except PlatformError as error:
            _log.warning("cannot follow %s: %s", prefix, error)
        await clock.sleep(_PAUSE_S)
