"""Fires triggers: one run for each planned time, over crashes and whoever else fires.

A run's request id is made of trigger and planned time, and its name of that. So whoever fires a time again finds the
run that is there; only then is the time noted as dealt with, and only if nobody has changed the trigger meanwhile. A
time for which no run could be made because of the trigger or its task is noted with the reason; one that met a full
queue or a store that is away is tried again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from flyteapi.admin.v1.trigger_service_pb2 import Trigger
from flyteplane.admin.application.admission import Admission
from flyteplane.admin.application.create_run import CreateRun
from flyteplane.admin.application.ports import TriggerStore
from flyteplane.admin.application.trigger_rules import asked_run, catch_up_of, schedule_of
from flyteplane.admin.domain.schedule import Schedule
from flyteplane.admin.domain.trigger import StoredTrigger, TriggerState, times_to_fire
from flyteplane.foundation.alarm import Alarm
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import AlreadyExists, InvalidArgument, PlatformError, ResourceExhausted, Unavailable
from flyteplane.observe import get_logger

_log = get_logger("admin.triggers")

#: Another try after a full queue or a store that was away.
RETRY_S: Final = 15.0
#: The longest sleep. A machine that slept, a clock that was set and a trigger that another process stored are noticed
#: after this at the latest.
LONGEST_SLEEP_S: Final = 60.0
_AT_ONCE: Final = 100
_MOST_ERROR: Final = 1024


class TriggerFiring:
    """Fires what is due, for as long as `run` runs."""

    def __init__(self, *, store: TriggerStore, admission: Admission, create: CreateRun, clock: TimerClock) -> None:
        self._store = store
        self._admission = admission
        self._create = create
        self._clock = clock
        self._alarm = Alarm(clock)

    def wake(self) -> None:
        """A trigger has changed."""
        self._alarm.ring()

    async def run(self) -> None:
        """Fire for ever."""
        while True:
            try:
                pause_s = await self._turn()
            except PlatformError as error:
                _log.warning("triggers_cannot_fire", problem=str(error))
                pause_s = RETRY_S
            await self._alarm.wait(at_most_s=pause_s)

    async def _turn(self) -> float:
        """Fire what is due; returns how long there is nothing to do, in seconds."""
        while due := await self._store.due(now_us=self._now_us(), limit=_AT_ONCE):
            for trigger in due:
                await self._fire(trigger)
        next_us = await self._store.next_wake()
        if next_us is None:
            return LONGEST_SLEEP_S
        return min(LONGEST_SLEEP_S, max(0.0, (next_us - self._now_us()) / 1e6))

    async def _fire(self, found: StoredTrigger) -> None:
        # Others were fired since it was found due, which may have taken long: who has stopped or changed it is heeded.
        stored = await self._store.get(found.key)
        if stored is None or stored.state.wake_at_us != found.state.wake_at_us:
            return
        trigger = Trigger.FromString(stored.content)
        try:
            schedule = schedule_of(trigger, anchor_us=stored.state.anchor_us)
        except InvalidArgument as error:
            # A build before this one took it.
            await self._note(stored, replace(stored.state, wake_at_us=None, last_error=_text_of(error)))
            return
        if schedule is None:
            await self._note(stored, replace(stored.state, wake_at_us=None))
            return
        now_us = self._now_us()
        catch_up, most = catch_up_of(trigger)
        until_us = stored.state.fired_until_us
        times = times_to_fire(schedule, fired_until_us=until_us, now_us=now_us, catch_up=catch_up, most=most)
        await self._note(stored, await self._fire_each(stored, trigger, schedule, times=times, now_us=now_us))

    async def _fire_each(
        self, stored: StoredTrigger, trigger: Trigger, schedule: Schedule, *, times: Sequence[int], now_us: int
    ) -> TriggerState:
        state = stored.state
        for time_us in times:
            try:
                error = await self._start(stored, trigger, time_us)
            except (ResourceExhausted, Unavailable) as refusal:
                wait_us = int((refusal.retry_after_s or RETRY_S) * 1e6)
                return replace(state, wake_at_us=now_us + wait_us, last_error=_text_of(refusal))
            fired_us = state.last_fired_us if error else time_us
            state = replace(state, fired_until_us=time_us, last_fired_us=fired_us, last_error=error)
        return replace(state, fired_until_us=now_us, wake_at_us=schedule.after(now_us))

    async def _start(self, stored: StoredTrigger, trigger: Trigger, time_us: int) -> str:
        """Start the run of a planned time; returns why there is none, or nothing."""
        request_id = f"trigger@{time_us}@{hashlib.sha256(stored.key.name.encode()).hexdigest()[:32]}"
        try:
            asked = asked_run(trigger, time_us=time_us, request_id=request_id)
            await self._create(await self._admission.draft(asked))
        except AlreadyExists:
            # It was fired before the trigger was changed, and the note of it was lost.
            return ""
        except (ResourceExhausted, Unavailable):
            raise
        except PlatformError as refusal:
            _log.warning("trigger_starts_no_run", trigger=str(stored.key), time_us=time_us, problem=str(refusal))
            return _text_of(refusal)
        return ""

    async def _note(self, stored: StoredTrigger, state: TriggerState) -> None:
        # Refused if somebody has changed the trigger: what they wrote counts, and is looked at next.
        await self._store.put(stored.key, content=stored.content, state=state, known=stored)

    def _now_us(self) -> int:
        return int(self._clock.now() * 1e6)


def _text_of(refusal: PlatformError) -> str:
    return refusal.public_text[:_MOST_ERROR]
