"""The services of the platform, wherever they are led: where that is at present, and the channels to there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flyteplane.launcher import discovery
from flyteplane.launcher.elections import ELECTED
from flyteplane.launcher.service_addresses import FIXED_SERVICES
from flyteplane.rpc.leader_channel import LeaderChannel
from flyteplane.rpc.whereabouts import Whereabouts

if TYPE_CHECKING:
    from flyteplane.coordination import Coordination
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.foundation.tasks import BackgroundTasks
    from flyteplane.launcher.process_settings import ProcessSettings
    from flyteplane.launcher.transport import Transport


class Others:
    """Follows the leader of every service; it may be this very process."""

    def __init__(
        self,
        settings: ProcessSettings,
        coordination: Coordination,
        *,
        clock: TimerClock,
        background: BackgroundTasks,
        transport: Transport,
    ) -> None:
        self._coordination = coordination
        self._clock = clock
        self._background = background
        self._channels = {
            name: LeaderChannel(
                self._whereabouts(name, settings),
                connect=transport.internal_channel,
                certificates=transport.internal_certificate,
            )
            for name in FIXED_SERVICES
        }

    @property
    def names(self) -> Sequence[str]:
        """The services that are called through channels."""
        return list(self._channels)

    def channel(self, service: str) -> LeaderChannel:
        """The channel to a service, wherever it is."""
        return self._channels[service]

    async def close(self) -> None:
        """End the calls under way."""
        for channel in self._channels.values():
            await channel.close()

    def _whereabouts(self, name: str, settings: ProcessSettings) -> Whereabouts:
        fixed = settings.operator.services.addresses.get(name, "")
        whereabouts = Whereabouts(name, fixed)
        if not fixed:
            self._background.start(self._follow(name, whereabouts), name=f"follow {name}")
        return whereabouts

    async def _follow(self, name: str, whereabouts: Whereabouts) -> None:
        await discovery.follow_leader(self._coordination, ELECTED[name], whereabouts=whereabouts, clock=self._clock)
