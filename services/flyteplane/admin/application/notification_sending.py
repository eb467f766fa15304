"""Sends the notifications of runs that have ended, each until its receiver has taken it, for a day at most.

That one is due is written with the end of its run, and that it was sent only when the receiver has taken it: whoever
dies in between sends it again, under the same name. A receiver that hangs holds up nobody else's for longer than its
own time, and one that is away is tried again later.
"""

import asyncio
from collections.abc import Iterator
from typing import Final

from flyte.spec.notifications import Delivery, Ending, NamedDelivery
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyteapi.common.v1.error_pb2 import TaskError
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.admin.application.notification_messages import delivery_of
from flyteplane.admin.application.notification_ports import Courier, NotificationStore, NotTaken
from flyteplane.admin.domain.notification import SENT, Deliveries, DueNotification, Outcome, after_failure, given_up
from flyteplane.foundation.alarm import Alarm
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import PlatformError
from flyteplane.foundation.ids import IdSource
from flyteplane.observe import Reading, get_logger

_log = get_logger("admin.notifications")

#: The longest sleep: a run that another process ended is noticed after this at the latest.
LONGEST_SLEEP_S: Final = 60.0
_STORE_RETRY_S: Final = 5.0
#: Sent side by side: one that hangs keeps its seven neighbours waiting, and nobody else.
_AT_ONCE: Final = 8


class NotificationSending:
    """Sends what is due, for as long as `run` runs."""

    def __init__(
        self,
        *,
        store: NotificationStore,
        courier: Courier,
        deliveries: Deliveries,
        clock: TimerClock,
        ids: IdSource,
        console_url: str = "",
    ) -> None:
        self._store = store
        self._courier = courier
        self._deliveries = deliveries
        self._clock = clock
        self._ids = ids
        self._console_url = console_url
        self._alarm = Alarm(clock)
        self._sent = 0
        self._given_up = 0

    def wake(self) -> None:
        """Runs have ended."""
        self._alarm.ring()

    def readings(self) -> Iterator[Reading]:
        """How many notifications this process has sent and given up."""
        taken, left = "Notifications that their receivers have taken.", "Notifications that nobody took for a day."
        yield Reading("notifications_sent", taken, self._sent, grows=True)
        yield Reading("notifications_given_up", left, self._given_up, grows=True)

    async def run(self) -> None:
        """Send for ever."""
        while True:
            try:
                pause_s = await self._turn()
            except PlatformError as error:
                _log.warning("notifications_wait_for_store", problem=str(error))
                pause_s = _STORE_RETRY_S
            await self._alarm.wait(at_most_s=pause_s)

    async def _turn(self) -> float:
        """Send what is due; returns how long there is nothing to do, in seconds."""
        while due := await self._store.due(now_us=self._now_us(), limit=_AT_ONCE):
            outcomes = await asyncio.gather(*map(self._send, due), return_exceptions=True)
            # All are over before the store is asked again: what is still under way would be sent twice.
            for failure in filter(None, outcomes):
                raise failure
        next_us = await self._store.next_try()
        if next_us is None:
            return LONGEST_SLEEP_S
        return min(LONGEST_SLEEP_S, max(0.0, (next_us - self._now_us()) / 1e6))

    async def _send(self, due: DueNotification) -> None:
        outcome = await self._outcome(due)
        await self._store.note(due, outcome)
        if outcome is SENT:
            self._sent += 1
        elif outcome.try_at_us is None:
            self._given_up += 1
        if outcome.error:
            _log.warning(
                "notification_not_taken",
                run=str(due.run),
                position=due.position,
                attempt=due.attempts + 1,
                again=outcome.try_at_us is not None,
                problem=outcome.error,
            )

    async def _outcome(self, due: DueNotification) -> Outcome:
        try:
            delivery = self._delivery(due)
        except (InvalidSetting, InvalidSettingType) as problem:
            # An older build took it.
            return given_up(str(problem))
        if delivery is None or isinstance(delivery, NamedDelivery):
            return given_up(f"the operator's file has no delivery {due.named!r} any more")
        try:
            await self._courier.bring(delivery, self._ending(due), name=_name_of(due))
        except NotTaken as problem:
            if problem.for_good:
                return given_up(str(problem))
            fraction, now_us = self._ids.fraction(), self._now_us()
            wait_s = problem.retry_after_s
            return after_failure(due, str(problem), now_us=now_us, retry_after_s=wait_s, fraction=fraction)
        except Exception:
            # A text of a user that no library thought of must hold up nobody else's, again and again.
            _log.error("notification_cannot_be_made", run=str(due.run), position=due.position, exc_info=True)
            return given_up("it cannot be made of what was given")
        return SENT

    def _delivery(self, due: DueNotification) -> Delivery | None:
        if due.named:
            return self._deliveries.named.get(due.named)
        notifications = RunSettings.FromString(due.settings).notifications
        return delivery_of(notifications[due.position]) if due.position < len(notifications) else None

    def _ending(self, due: DueNotification) -> Ending:
        run = due.run
        error = TaskError.FromString(due.error)
        url = f"{self._console_url}/runs/{run.project}/{run.domain}/{run.name}" if self._console_url else ""
        return Ending(
            run=run.name,
            project=run.project,
            domain=run.domain,
            task=due.task_name,
            phase=due.phase.name,
            error=f"{error.code}: {error.message}" if error.code else "",
            url=url,
        )

    def _now_us(self) -> int:
        return int(self._clock.now() * 1e6)


def _name_of(due: DueNotification) -> str:
    return f"{due.run.project}.{due.run.domain}.{due.run.name}.{due.position}"
