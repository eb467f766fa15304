"""Hands stored runs to the scheduler, until each was taken or refused for good.

The outbox entry lies in the same transaction as the run, so whatever dies after that, the entry is found again at the
next start. Handing over twice is harmless because the scheduler knows runs by name and digest.

A run has at most one `Delivery` at a time; whoever asks for the run meanwhile waits for the same one. The delivery
records whether anybody was told that the run is accepted, because that decides what a refusal means (see
`domain.delivery`). Entries of runs that were taken are removed by the `Settlement`, some at a time.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from flyteplane.admin.application.ports import EncodeRefusal, RunStore, Scheduler
from flyteplane.admin.application.settlement import Settlement
from flyteplane.admin.domain.delivery import Verdict, after_failure
from flyteplane.admin.domain.run import RunKey, RunPhase, RunProgress, Submission
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import PlatformError, Unavailable
from flyteplane.foundation.ids import IdSource
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.observe import Reading, get_logger

_log = get_logger("admin.outbox")

#: A caller waits this long for the scheduler's answer; after that the stored run is answer enough.
ANSWER_WITHIN_S: Final = 5.0
#: Deliveries under way at once after a restart; the others wait their turn.
MOST_AT_ONCE: Final = 64
_STORE_RETRY_S: Final = 1.0


class Delivery:
    """One run on its way to the scheduler. Belongs to the event loop."""

    def __init__(self, run: RunKey, submission: Submission | None, *, acknowledged: bool) -> None:
        self.run = run
        self.submission = submission
        self.acknowledged = acknowledged
        """Somebody may know that the run was accepted; it can no longer be taken back."""
        self.taking_back = False
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when a caller may be told the outcome: accepted, or the refusal."""
        self.over = asyncio.Event()
        """Set when the scheduler has the run, or never will."""
        self._hurry = asyncio.Event()

    def hurry(self) -> None:
        """Try again now instead of after the back-off."""
        self._hurry.set()

    async def pause(self, delay_s: float, *, clock: TimerClock) -> None:
        """Wait `delay_s` seconds, or until somebody is in a hurry."""
        self._hurry.clear()
        timer = clock.call_later(delay_s, self._hurry.set)
        try:
            await self._hurry.wait()
        finally:
            timer.cancel()

    def conclude(self, refusal: PlatformError | None = None) -> None:
        """Give everybody who waits their answer."""
        if self.answer.done():
            return
        if refusal is None:
            self.answer.set_result(None)
        else:
            self.answer.set_exception(refusal)
            # Nobody may be waiting any more, which is no reason for a warning.
            self.answer.exception()


class Outbox:
    """The deliveries of this process.

    Args:
        on_failure: told when a delivery dies of a defect of ours.
    """

    def __init__(
        self,
        *,
        runs: RunStore,
        scheduler: Scheduler,
        clock: TimerClock,
        ids: IdSource,
        encode_refusal: EncodeRefusal,
        on_failure: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        self._runs = runs
        self._scheduler = scheduler
        self._clock = clock
        self._ids = ids
        self._encode_refusal = encode_refusal
        self._deliveries: dict[RunKey, Delivery] = {}
        self._closed = False
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._tasks = BackgroundTasks("admin.outbox", on_failure=on_failure)
        self._settlement = Settlement(runs=runs, scheduler=scheduler, clock=clock, on_failure=on_failure)

    async def start(self) -> None:
        """Take up again what an earlier process left in the outbox."""
        for run in await self._runs.pending():
            self._begin(Delivery(run, None, acknowledged=True))

    async def close(self) -> None:
        """Stop delivering; what was not taken stays in the store for the next start."""
        self._closed = True
        await self._tasks.stop()
        for delivery in list(self._deliveries.values()):
            # A delivery that was stopped before its first step could not say so itself.
            self._end(delivery, _gone())
        await self._settlement.close()

    def readings(self) -> Iterator[Reading]:
        """How many runs the scheduler has yet to take."""
        yield Reading("outbox_runs", "Runs that are stored and not yet taken by the scheduler.", len(self._deliveries))

    def under_way(self, run: RunKey) -> Delivery | None:
        """The delivery of a run that the scheduler has neither taken nor refused yet."""
        return self._deliveries.get(run)

    def hand_over(self, submission: Submission) -> Delivery:
        """Begin to deliver a run that was just stored."""
        existing = self._deliveries.get(submission.run)
        if existing is not None:
            return existing
        return self._begin(Delivery(submission.run, submission, acknowledged=False))

    def take_up(self, run: RunKey) -> None:
        """Deliver a run of which nobody knows whether it is stored: if it is, it would else wait for the next start."""
        if run not in self._deliveries and not self._closed:
            self._begin(Delivery(run, None, acknowledged=True))

    async def answer(self, delivery: Delivery) -> None:
        """Wait until a caller may be told that the run is accepted.

        Returns when the scheduler took the run, or when it could not be asked and the run is on its own now.
        Raises the scheduler's refusal if the run was taken back.
        """
        await asyncio.wait([delivery.answer], timeout=ANSWER_WITHIN_S)
        if not delivery.answer.done() and not delivery.taking_back:
            delivery.acknowledged = True
            return
        await asyncio.shield(delivery.answer)

    def _begin(self, delivery: Delivery) -> Delivery:
        self._deliveries[delivery.run] = delivery
        self._tasks.start(self._deliver(delivery), name=f"deliver {delivery.run}")
        return delivery

    async def _deliver(self, delivery: Delivery) -> None:
        attempt = 0
        over = False
        try:
            while not over:
                attempt += 1
                try:
                    await self._hand(delivery)
                    over = True
                except PlatformError as error:
                    over = await self._ended_by(error, delivery, attempt)
        finally:
            self._end(delivery, None if over else _gone())

    def _end(self, delivery: Delivery, refusal: PlatformError | None) -> None:
        self._deliveries.pop(delivery.run, None)
        delivery.over.set()
        delivery.conclude(refusal)

    async def _hand(self, delivery: Delivery) -> None:
        async with self._turns:
            if delivery.submission is None:
                delivery.submission = await self._runs.submission(delivery.run)
            if delivery.submission is not None:
                await self._scheduler.accept(delivery.submission)
                self._settlement.add(delivery.run)

    async def _ended_by(self, error: PlatformError, delivery: Delivery, attempt: int) -> bool:
        """Act on a failed try; returns whether the delivery is over."""
        decision = after_failure(
            error, acknowledged=delivery.acknowledged, attempt=attempt, fraction=self._ids.fraction()
        )
        if decision.verdict is Verdict.TAKE_BACK:
            return await self._take_back(delivery, error)
        if decision.verdict is Verdict.FAIL:
            return await self._fail(delivery, error)
        _log.warning("run_not_taken_yet", run=str(delivery.run), problem=str(error))
        delivery.acknowledged = True
        delivery.conclude()
        await delivery.pause(decision.delay_s, clock=self._clock)
        return False

    async def _take_back(self, delivery: Delivery, refusal: PlatformError) -> bool:
        delivery.taking_back = True
        try:
            await self._runs.take_back(delivery.run)
        except PlatformError as store_failure:
            # Most likely the run is still there, so it goes on as one that was acknowledged; the store is asked. The
            # caller is told to ask again.
            delivery.acknowledged, delivery.submission = True, None
            delivery.conclude(store_failure)
            await delivery.pause(_STORE_RETRY_S, clock=self._clock)
            return False
        delivery.conclude(refusal)
        return True

    async def _fail(self, delivery: Delivery, refusal: PlatformError) -> bool:
        _log.error("acknowledged_run_refused", run=str(delivery.run), problem=str(refusal))
        progress = RunProgress(
            phase=RunPhase.FAILED,
            ended_at_us=int(self._clock.now() * 1e6),
            error=self._encode_refusal(refusal),
        )
        try:
            await self._runs.fail_undelivered(delivery.run, progress)
        except PlatformError:
            await delivery.pause(_STORE_RETRY_S, clock=self._clock)
            return False
        return True


def _gone() -> Unavailable:
    return Unavailable(
        "admin stopped before the scheduler had answered",
        reason="SHUTTING_DOWN",
        mend="Repeat the request with the same request id.",
        retry_after_s=1.0,
    )
