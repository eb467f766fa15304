"""The agent: one loop that holds the worker, its output and the conversation with the scheduler together.

What is done with all of it is decided in `flyte.runner.pod.attempt`, for a replica in `flyte.runner.pod.replica`. Here
is what the decisions act on: processes, signals, timers and the exit. The agent is the first process of its container,
so it collects whatever ends below it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from flyte.runner.contact import Contact
from flyte.runner.pod.attempt import PodAttempt
from flyte.runner.pod.child import Child
from flyte.runner.pod.data_client import DataClient
from flyte.runner.pod.data_relay import DataRelay
from flyte.runner.pod.endpoints import Endpoints
from flyte.runner.pod.first_words import FirstOrders
from flyte.runner.pod.head_start import LEFT_ALONE_S, HeadStart
from flyte.runner.pod.memory_events import MemoryEvents
from flyte.runner.pod.outbox import Outbox
from flyte.runner.pod.preparation import Preparation
from flyte.runner.pod.processes import ended_children, kill_all, kill_leftovers, resident_bytes_below, signal_group
from flyte.runner.pod.session import HEARTBEAT_S, SCHEDULER, OtherSide, Session, SessionRefused
from flyte.runner.pod.settings import PodSettings
from flyte.runner.pod.signals import Signals
from flyte.runner.pod.startup_frame import can_be_plain, startup_frame
from flyte.runner.pod.tee import Tee
from flyte.runner.pod.work import Work
from flyte.runner.pod.worker_link import OutputPipe, WorkerLink
from flyte.runner.pod.workplace import Workplace
from flyte.spec import worker_exits as exit_codes
from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder, WorkerReport

FIRST_CONTACT_S: Final = 600.0
"""A pod that no scheduler has spoken to by then gives up."""
_EXPECTED_S: Final = 5.0
"""How long after the first words the session is waited for as if it were there."""
_LAST_OUTPUT_S: Final = 2.0
"""How long output may keep coming after the worker is dead."""


def run_agent(
    settings: PodSettings,
    *,
    child: Child,
    contact: Contact,
    workplace: Workplace,
    memory: MemoryEvents,
    head_start: HeadStart | None = None,
) -> int:
    """Works until the attempt is over; returns the exit code of the process.

    Args:
        memory: made before the worker was told anything.
        head_start: of an attempt whose first words are said.
    """
    try:
        return asyncio.run(_run(settings, child, contact, workplace, memory, head_start))
    finally:
        kill_all(child.pid)
        _remove(workplace.folder)


async def _run(
    settings: PodSettings,
    child: Child,
    contact: Contact,
    workplace: Workplace,
    memory: MemoryEvents,
    head_start: HeadStart | None,
) -> int:
    agent = Agent(settings, child=child, contact=contact, workplace=workplace, memory=memory, head_start=head_start)
    return await agent.run()


class Agent:
    """The agent of one container; made on its loop.

    Args:
        head_start: of an attempt whose first words are said.
    """

    def __init__(
        self,
        settings: PodSettings,
        *,
        child: Child,
        contact: Contact,
        workplace: Workplace,
        memory: MemoryEvents,
        head_start: HeadStart | None = None,
    ) -> None:
        rng = random.Random()
        self._memory = memory
        self._child = child
        self._contact = contact
        self._folder = workplace.folder
        self._gives_first_orders = False
        self._loop = asyncio.get_running_loop()
        self._exit: asyncio.Future[int] = self._loop.create_future()
        authorities = settings.authorities
        data_endpoints = Endpoints(settings.endpoints, rng=rng, authorities=authorities)
        self._data = DataClient(data_endpoints, token=settings.token)
        self._outbox = Outbox()
        self._tee = Tee()
        self._status: int | None = None
        self._expected_until = 0.0
        self._link = WorkerLink(child.stream, received=self._heard, ended=self._worker_may_be_over)
        self._output = OutputPipe(child.output, received=self._wrote, ended=self._worker_may_be_over)
        other, endpoints = SCHEDULER, settings.endpoints
        if settings.replica:
            self._work, other = self._work_of_replica(settings, rng)
            endpoints = settings.replica_endpoints
        else:
            self._work = self._work_of_attempt(settings, rng)
        self._relay = DataRelay(self._work.client_of, listener=workplace.listener)
        self._endpoints = (
            Endpoints(endpoints, rng=rng, authorities=authorities) if head_start is None else head_start.endpoints
        )
        self._session = Session(
            self._endpoints,
            other=other,
            outbox=self._outbox,
            contact=contact,
            rng=rng,
            hello=self._work.hello,
            resident_bytes=lambda: resident_bytes_below(child.pid),
            received=self._work.told,
            lapsed=self._out_of_contact,
            changed=self._arrived,
            trouble=_say,
        )
        self._begins_with = partial(startup_frame, settings, workplace=workplace)
        self._worker_begins = head_start is not None and head_start.given
        if isinstance(self._work, PodAttempt) and head_start is not None and head_start.first is not None:
            self._meet(self._work, head_start.first)
        if settings.replica:
            self._tell_worker(())

    def _work_of_attempt(self, settings: PodSettings, rng: random.Random) -> Work:
        return PodAttempt(
            token=settings.token,
            outbox=self._outbox,
            tee=self._tee,
            memory=self._memory,
            data=self._data,
            preparation=Preparation(self._data, folder=self._folder, rng=rng),
            tell_worker=self._tell_worker,
            signal_worker=self._signal_worker,
            leave=self._leave,
        )

    def _work_of_replica(self, settings: PodSettings, rng: random.Random) -> tuple[Work, OtherSide]:
        # Most pods are no replicas, and start sooner without it.
        from flyte.runner.pod.bundles import Bundles
        from flyte.runner.pod.replica import REUSE_POOL, PodReplica

        work = PodReplica(
            token=settings.token,
            outbox=self._outbox,
            tee=self._tee,
            data=self._data,
            bundles=Bundles(folder=self._folder, rng=rng),
            tell_worker=self._link.send,
            signal_worker=self._signal_worker,
            read_output=self._output.read_now,
            hurry=lambda: self._session.hurry(),
            leave=self._leave,
        )
        return work, REUSE_POOL

    def _tell_worker(self, orders: Sequence[WorkerOrder]) -> None:
        if not self._worker_begins:
            self._worker_begins = True
            if can_be_plain(orders):
                self._link.send_frame(self._begins_with(orders=orders))
                return
            self._link.send_frame(self._begins_with())
        self._link.send(orders)

    async def run(self) -> int:
        """Works until there is nothing left to do; returns the exit code of the process."""
        signals = Signals({signal.SIGCHLD: self._collect, signal.SIGTERM: self._work.terminated})
        self._collect()
        self._link.start()
        self._output.start()
        work = (self._speak(), self._watch_contact(), self._work.obey())
        tasks = [self._loop.create_task(coroutine) for coroutine in work]
        for task in tasks:
            task.add_done_callback(self._failed)
        try:
            # The scheduler is asked first: the socket is wanted by nobody before its answer.
            await self._relay.start()
            return await self._exit
        finally:
            for task in tasks:
                task.cancel()
            self._tee.close()
            self._relay.close()
            signals.close()

    def _failed(self, task: asyncio.Task[None]) -> None:
        """A defect of ours: the exit says so, and the attempt is tried again."""
        if not task.cancelled() and (error := task.exception()) is not None:
            sys.excepthook(type(error), error, error.__traceback__)
            self._leave(exit_codes.DEFECT)

    def _leave(self, code: int) -> None:
        if not self._exit.done():
            self._exit.set_result(code)

    async def _speak(self) -> None:
        try:
            if isinstance(self._work, PodAttempt) and self._gives_first_orders:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LEFT_ALONE_S):
                        await self._work.begun.wait()
            await self._session.run()
        except SessionRefused as refused:
            over = refused.code.name == "FAILED_PRECONDITION"
            _say(f"the scheduler refuses this worker: {refused}")
            self._leave(exit_codes.ATTEMPT_OVER if over else exit_codes.REFUSED)

    def _meet(self, attempt: PodAttempt, first: FirstOrders) -> None:
        self._gives_first_orders = not self._worker_begins
        self._expected_until = self._loop.time() + _EXPECTED_S
        self._loop.call_later(_EXPECTED_S, self._pace_reading)
        self._contact.answered(first.sent_at)
        self._session.heard.set()
        attempt.told_first(first.orders, bundle=first.bundle, given=self._worker_begins)

    async def _watch_contact(self) -> None:
        try:
            async with asyncio.timeout(FIRST_CONTACT_S):
                await self._session.heard.wait()
        except TimeoutError:
            self._out_of_contact()
        self._check_contact()

    def _check_contact(self) -> None:
        if self._contact.lapsed:
            self._out_of_contact()
        # Timers of the loop stand still while the machine sleeps; contact does not.
        self._loop.call_later(min(max(self._contact.left_s, 0.0), HEARTBEAT_S), self._check_contact)

    def _out_of_contact(self) -> NoReturn:
        kill_all(self._child.pid)
        _say(f"no scheduler has answered for {self._contact.contact_s:g} s; the task was killed")
        _remove(self._folder)
        os._exit(exit_codes.OUT_OF_CONTACT)

    def _heard(self, reports: Sequence[WorkerReport]) -> None:
        self._work.heard(reports)
        self._pace_reading()

    def _wrote(self, data: bytes) -> None:
        self._work.wrote(data)
        self._pace_reading()

    def _arrived(self) -> None:
        self._pace_reading()
        self._work.arrived()

    def _pace_reading(self) -> None:
        """A task that writes faster than the scheduler takes waits; one without a scheduler goes on."""
        listens = self._session.connected or self._loop.time() < self._expected_until
        self._work.may_drop_output = not listens
        reading = not (self._outbox.is_full and listens) or self._status is not None
        self._link.set_reading(reading)
        self._output.set_reading(reading)

    def _signal_worker(self, number: int) -> None:
        if self._status is None:
            signal_group(self._child.pid, number)
        if number == signal.SIGKILL:
            kill_leftovers()

    def _collect(self) -> None:
        for pid, status in ended_children(self._child.pid):
            if pid == self._child.pid:
                self._status = status
                self._loop.call_later(_LAST_OUTPUT_S, self._worker_is_over)
        if self._status is not None:
            # What the worker has left below us would go on, and holds its output open.
            kill_leftovers()
            self._pace_reading()
            self._worker_may_be_over()

    def _worker_may_be_over(self) -> None:
        if self._status is not None and not self._link.open and not self._output.open:
            self._worker_is_over()

    def _worker_is_over(self) -> None:
        assert self._status is not None
        self._work.worker_ended(self._status)


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _say(text: str) -> None:
    """A line for whoever reads the container's log."""
    with contextlib.suppress(OSError):
        os.write(2, f"flyte worker: {text}\n".encode())
