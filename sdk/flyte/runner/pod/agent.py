"""The agent: one loop that holds the worker, its output and the conversation with the scheduler together.

What is done with all of it is decided in `flyte.runner.pod.attempt`. Here is what the decisions act on: processes,
signals, timers and the exit. The agent is the first process of its container, so it collects whatever ends below it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import grpc

from flyte.runner.contact import Contact
from flyte.runner.linux import adopt_orphans
from flyte.runner.pod.attempt import PodAttempt
from flyte.runner.pod.child import Child
from flyte.runner.pod.data_client import DataClient
from flyte.runner.pod.data_relay import DataRelay
from flyte.runner.pod.endpoints import Endpoints
from flyte.runner.pod.memory_events import MemoryEvents
from flyte.runner.pod.outbox import Outbox
from flyte.runner.pod.preparation import Preparation
from flyte.runner.pod.processes import ended_children, kill_all, kill_leftovers, resident_bytes_below, signal_group
from flyte.runner.pod.session import HEARTBEAT_S, Session, SessionRefused
from flyte.runner.pod.settings import PodSettings
from flyte.runner.pod.startup_frame import startup_frame
from flyte.runner.pod.tee import Tee
from flyte.runner.pod.worker_link import OutputPipe, WorkerLink
from flyte.spec import worker_exits as exit_codes
from flyteapi.scheduler.v1.worker_service_pb2 import WorkerReport

FIRST_CONTACT_S: Final = 600.0
"""A pod that no scheduler has spoken to by then gives up."""
_LAST_OUTPUT_S: Final = 2.0
"""How long output may keep coming after the worker is dead."""


def run_agent(settings: PodSettings, *, child: Child, contact: Contact) -> int:
    """Works until the attempt is over; returns the exit code of the process."""
    adopt_orphans()
    folder = Path(tempfile.mkdtemp(prefix="flyte-worker-"))
    try:
        return asyncio.run(_run(settings, child, contact, folder))
    finally:
        kill_all(child.pid)
        shutil.rmtree(folder, ignore_errors=True)


async def _run(settings: PodSettings, child: Child, contact: Contact, folder: Path) -> int:
    return await Agent(settings, child=child, contact=contact, folder=folder).run()


class Agent:
    """The agent of one container; made on its loop.

    Args:
        folder: private to this container.
    """

    def __init__(self, settings: PodSettings, *, child: Child, contact: Contact, folder: Path) -> None:
        rng = random.Random()
        self._child = child
        self._contact = contact
        self._folder = folder
        self._loop = asyncio.get_running_loop()
        self._exit: asyncio.Future[int] = self._loop.create_future()
        self._data = DataClient(Endpoints(settings.endpoints, rng=rng), token=settings.token)
        self._relay = DataRelay(self._data, path=str(folder / "data"))
        self._outbox = Outbox()
        self._tee = Tee()
        self._status: int | None = None
        self._link = WorkerLink(child.stream, received=self._heard, ended=self._worker_may_be_over)
        self._output = OutputPipe(child.output, received=self._wrote, ended=self._worker_may_be_over)
        self._attempt = PodAttempt(
            token=settings.token,
            outbox=self._outbox,
            tee=self._tee,
            memory=MemoryEvents(),
            preparation=Preparation(self._data, folder=folder, rng=rng),
            tell_worker=self._link.send,
            signal_worker=self._signal_worker,
            leave=self._leave,
        )
        self._session = Session(
            Endpoints(settings.endpoints, rng=rng),
            outbox=self._outbox,
            contact=contact,
            rng=rng,
            hello=self._attempt.hello,
            resident_bytes=lambda: resident_bytes_below(child.pid),
            received=self._attempt.told,
            lapsed=self._out_of_contact,
            changed=self._pace_reading,
        )
        self._link.send_frame(startup_frame(settings, folder=folder, data_socket=folder / "data"))

    async def run(self) -> int:
        """Works until there is nothing left to do; returns the exit code of the process."""
        self._loop.add_signal_handler(signal.SIGCHLD, self._collect)
        self._loop.add_signal_handler(signal.SIGTERM, self._attempt.terminated)
        self._collect()
        await self._relay.start()
        self._link.start()
        self._output.start()
        work = (self._speak(), self._watch_contact(), self._attempt.obey())
        tasks = [self._loop.create_task(coroutine) for coroutine in work]
        for task in tasks:
            task.add_done_callback(self._failed)
        # Their first steps come before it: while the connection is being made, what follows it is loaded.
        self._loop.call_soon(Preparation.load)
        try:
            return await self._exit
        finally:
            for task in tasks:
                task.cancel()
            self._tee.close()
            self._relay.close()

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
            await self._session.run()
        except SessionRefused as refused:
            over = refused.code is grpc.StatusCode.FAILED_PRECONDITION
            _say(f"the scheduler refuses this worker: {refused}")
            self._leave(exit_codes.ATTEMPT_OVER if over else exit_codes.REFUSED)

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
        shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(exit_codes.OUT_OF_CONTACT)

    def _heard(self, reports: Sequence[WorkerReport]) -> None:
        self._attempt.heard(reports)
        self._pace_reading()

    def _wrote(self, data: bytes) -> None:
        self._attempt.wrote(data)
        self._pace_reading()

    def _pace_reading(self) -> None:
        """A task that writes faster than the scheduler takes waits; one without a scheduler goes on."""
        self._attempt.may_drop_output = not self._session.connected
        reading = not (self._outbox.is_full and self._session.connected) or self._status is not None
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
        self._attempt.worker_ended(self._status)


def _say(text: str) -> None:
    """A line for whoever reads the container's log."""
    with contextlib.suppress(OSError):
        os.write(2, f"flyte worker: {text}\n".encode())
