"""The worker: hears orders, runs attempts, reports how they end.

A fresh worker runs one attempt and exits once its end is accepted. A replica runs many: coroutines beside each other
on the loop, synchronous tasks one after another with the main thread to themselves. User code always has the main
thread, as in a program that was started by hand.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence

from flyte.authoring.context import activate
from flyte.runner.contact import Contact
from flyte.runner.execution import Execution, crash, remember_tasks_of_attempts
from flyte.runner.forking import read_startup, settle_in
from flyte.runner.main_thread import MainThread
from flyte.runner.output_capture import (
    capture_standard_streams,
    flush_output_of_process,
    write_to_descriptors,
)
from flyte.runner.platform_data import route_platform_data
from flyte.runner.pulse import Pulse, kill_own_group
from flyte.runner.startup import PROTOCOL, Startup
from flyte.runner.stream import WorkerStream
from flyte.runner.surroundings import Surroundings
from flyte.runner.tasks import DeclaredTasks
from flyte.spec.limits import MOST_INTRODUCED
from flyte.spec.version import __version__
from flyteapi.scheduler.v1.worker_service_pb2 import Assign, DeclareRun, Drained, Hello, WorkerOrder, WorkerReport


class Worker:
    """One worker process.

    Args:
        contact: for how long it may go on without a word from the scheduler; None where the end of the stream says it.
    """

    def __init__(self, connection: socket.socket, startup: Startup, *, contact: Contact | None = None) -> None:
        self._startup = startup
        self._loop = asyncio.new_event_loop()
        self._context = contextvars.copy_context()
        self._done = False
        self._draining = False
        self._inbox: deque[WorkerOrder] = deque()
        self._at_rest: deque[Callable[[], None]] = deque()
        self._runs: dict[str, DeclareRun] = {}
        self._tasks = DeclaredTasks()
        self._stream = WorkerStream(connection, loop=self._loop, receive=self._received, ended=self._nobody_listens)
        self._pulse = Pulse(
            self._stream, collect_output=self._hand_on_output, finished=lambda: self._done, contact=contact
        )
        self._main_thread = MainThread(
            self._loop, stream=self._stream, pulse=self._pulse, back_on_loop=self._read_inbox_after_rest
        )
        capture_standard_streams(lambda: self._execution.only_output())
        self._surroundings = Surroundings(startup)
        self._execution = Execution(
            surroundings=self._surroundings,
            stream=self._stream,
            main_thread=self._main_thread,
            tasks=self._tasks,
            at_rest=self._when_at_rest,
            over=self._attempt_is_over,
        )
        if startup.replica:
            self._loop.set_task_factory(remember_tasks_of_attempts)  # type: ignore[arg-type]

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The worker's loop."""
        return self._loop

    def run(self) -> int:
        """Works as the process's only purpose; returns the exit code of the process."""
        os.register_at_fork(after_in_child=self._disown)
        self._pulse.start()
        self.work()
        self._stream.drain()
        atexit._run_exitfuncs()
        self._surroundings.close()
        flush_output_of_process()
        return 0

    def work(self) -> None:
        """Carries attempts out until there is nothing left to do."""
        self._stream.open()
        if self._startup.orders:
            self._loop.call_soon(self._received, self._startup.orders)
        else:
            self._stream.send(WorkerReport(hello=_hello()))
        while not self._done:
            if self._at_rest:
                self._at_rest.popleft()()
            else:
                self._run_loop()

    def close(self) -> None:
        """Lets go of loop and stream; for a worker that is not the process's only purpose."""
        self._stream.close()
        self._loop.close()

    def _run_loop(self) -> None:
        try:
            self._loop.run_forever()
        except (SystemExit, KeyboardInterrupt):
            # Raised by a task that user code left behind; whoever waits for that task is told by asyncio as well.
            sys.excepthook(*sys.exc_info())

    def _received(self, orders: Sequence[WorkerOrder]) -> None:
        """Takes orders, on the loop or, while it is at rest, on the pulse thread."""
        self._inbox.extend(orders)
        try:
            if self._main_thread.is_current:
                self._read_inbox()
            else:
                self._act_for_main_thread(orders)
        except Exception as error:
            crash(error)

    def _act_for_main_thread(self, orders: Sequence[WorkerOrder]) -> None:
        """What cannot wait until synchronous user code comes back: it may be what that code waits for."""
        for order in orders:
            kind = order.WhichOneof("order")
            if kind == "result":
                self._execution.settle_elsewhere(order.lease, order.result)
            elif kind == "cancel":
                self._execution.interrupt(order.lease, order.cancel.reason)
            elif kind == "lease_revoked":
                self._execution.interrupt(order.lease, order.lease_revoked.reason)

    def _read_inbox_after_rest(self) -> None:
        # In the worker's own context: what begins now has nothing to do with the attempt that was at work.
        if self._inbox:
            self._context.copy().run(self._read_inbox)

    def _read_inbox(self) -> None:
        while self._inbox:
            self._obey(self._inbox.popleft())

    def _obey(self, order: WorkerOrder) -> None:
        match order.WhichOneof("order"):
            case "result":
                self._execution.settle(order.lease, order.result)
            case "assign":
                self._assigned(order.lease, order.assign)
            case "end_accepted":
                self._execution.forget(order.lease)
            case "declare_task":
                task = order.declare_task
                self._tasks.declare(task.digest, task.spec, task.bundle_path)
            case "declare_run":
                self._declare_run(order.declare_run)
            case "cancel":
                self._execution.cancel(order.lease, order.cancel.reason)
            case "lease_revoked":
                self._execution.revoke(order.lease, order.lease_revoked.reason)
            case "drain":
                self._draining = True
                self._attempt_is_over()

    def _declare_run(self, run: DeclareRun) -> None:
        if self._startup.data_socket:
            route_platform_data(run, agent=self._startup.data_socket, lease_for=self._execution.lease_for)
        self._runs[run.key] = self._runs.pop(run.key, run)
        if len(self._runs) > 2 * MOST_INTRODUCED:
            del self._runs[next(iter(self._runs))]

    def _assigned(self, lease: int, assign: Assign) -> None:
        if self._execution.begin(lease, assign, self._runs.get(assign.run)):
            return
        # Protocol error of the other side; silence would look like a hanging task.
        print(f"attempt {assign.action} was assigned before its run or task was declared", file=sys.stderr)
        self._stop()

    def _attempt_is_over(self) -> None:
        if len(self._execution):
            return
        if self._draining:
            self._stream.send(WorkerReport(drained=Drained()))
            self._stop()
        elif not self._startup.replica:
            self._stop()

    def _when_at_rest(self, work: Callable[[], None]) -> None:
        """Runs `work` on the main thread while the loop is at rest and no synchronous task has it."""
        self._at_rest.append(work)
        self._stop_loop()

    def _stop(self) -> None:
        self._done = True
        self._stop_loop()

    def _stop_loop(self) -> None:
        # A loop that runs for synchronous user code comes back by itself.
        if not self._execution.synchronous_code_runs:
            self._loop.stop()

    def _disown(self) -> None:
        """In a process that user code has forked: it is no worker, and what it calls and writes is its own."""
        self._stream.disown()
        write_to_descriptors()
        activate(None).__enter__()

    def _hand_on_output(self) -> None:
        self._execution.hand_on_output()

    def _nobody_listens(self) -> None:
        if not self._done:
            kill_own_group()


def _hello() -> Hello:
    return Hello(protocol=PROTOCOL, pid=os.getpid(), hostname=socket.gethostname(), sdk_version=__version__)


def run_worker(connection: socket.socket, *, contact: Contact | None = None) -> int:
    """Runs a worker on its stream, from the start-up frame to the end; returns the exit code of the process."""
    startup = read_startup(connection)
    if startup is None:
        return 0
    settle_in(startup)
    return Worker(connection, startup, contact=contact).run()
