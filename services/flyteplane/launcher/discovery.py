"""How the processes of a platform find each other through the coordination store.

    leaders/<service>/0                    the leader's address, while it serves

The key belongs to a lease, so it is gone with its process. When the store is away, everybody goes on with what was
last known: an address that works needs no store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from flyteplane.coordination.election import leader_key
from flyteplane.foundation.errors import PlatformError
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from flyteplane.coordination import Coordination, KeyValue
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.rpc.whereabouts import Whereabouts

_log = get_logger("launcher.discovery")

#: Pause after the store was away.
_PAUSE_S: Final = 0.5


async def follow_leader(coordination: Coordination, name: str, *, whereabouts: Whereabouts, clock: TimerClock) -> None:
    """Tell `whereabouts` the address of the leader of `name`, and nothing while none serves. Until cancelled."""
    key = leader_key(name)

    def tell(keys: Mapping[str, KeyValue]) -> None:
        held = keys.get(key)
        whereabouts.tell(held.value.decode() if held is not None else "")

    await _follow(coordination, key, tell, clock=clock)


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
            _log.warning("processes_not_followed", prefix=prefix, problem=str(error))
        await clock.sleep(_PAUSE_S)
