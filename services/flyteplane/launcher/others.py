"""The services that other processes carry: where they are, and the channels to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flyteplane.launcher import discovery
from flyteplane.launcher.elections import ELECTED
from flyteplane.launcher.service_addresses import FIXED_SERVICES
from flyteplane.rpc.leader_channel import LeaderChannel
from flyteplane.rpc.whereabouts import Whereabouts

if TYPE_CHECKING:
    import grpc

    from flyteplane.coordination import Coordination
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.foundation.tasks import BackgroundTasks
    from flyteplane.launcher.process_settings import ProcessSettings


class Others:
    """Follows every service that this process does not carry, and those that elect a leader in any case."""

    def __init__(
        self, settings: ProcessSettings, coordination: Coordination, *, clock: TimerClock, background: BackgroundTasks
    ) -> None:
        self._process = settings.name
        self._coordination = coordination
        self._clock = clock
        self._background = background
        elsewhere = [name for name in FIXED_SERVICES if name in ELECTED or name not in settings.services]
        self._channels = {name: LeaderChannel(self._whereabouts(name, settings)) for name in elsewhere}

    @property
    def names(self) -> Sequence[str]:
        """The services that are called through channels."""
        return list(self._channels)

    def channel(self, service: str) -> grpc.aio.Channel:
        """The channel to a service, wherever it is."""
        return self._channels[service]

    def register(self, services: Sequence[str], *, address: str) -> None:
        """Say where this process serves what it carries, for as long as it lives."""
        saying = discovery.register(
            self._coordination, services, process=self._process, address=address, clock=self._clock
        )
        self._background.start(saying, name="register")

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
        if name in ELECTED:
            await discovery.follow_leader(self._coordination, ELECTED[name], whereabouts=whereabouts, clock=self._clock)
        else:
            await discovery.follow_service(self._coordination, name, whereabouts=whereabouts, clock=self._clock)
