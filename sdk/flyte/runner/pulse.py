"""The thread that says the worker lives, whatever user code does, and that ends it when nobody listens any more.

Every 2 seconds it sends a heartbeat. When the stream ends it kills the worker's whole process group at once: a worker
that nobody can hear must not go on. While synchronous user code has the main thread it also reads the stream and lets
captured output out. It blocks all signals, so that handlers of user code run where Python runs them, and never waits
for the interpreter longer than user code holds it.
"""

from __future__ import annotations

import _thread
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from flyte.runner.contact import Contact
from flyte.runner.linux import resident_bytes
from flyte.runner.stream import StreamEnded, WorkerStream
from flyteapi.scheduler.v1.worker_service_pb2 import Heartbeat, WorkerReport

HEARTBEAT_S: Final = 2.0
"""Between two heartbeats of a worker; each tells how much memory it has."""
OUTPUT_DELAY_S: Final = 0.2
"""How long output waits while the loop of the worker is held up."""
_LAST_WORDS_S: Final = 0.2
"""How long a worker with a result that was not accepted yet may read what came before the end of its stream."""
_ALL_SIGNALS: Final = frozenset(map(int, signal.valid_signals()))
_GONE: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Pulse:
    """Runs the thread.

    Args:
        stream: the worker's stream.
        collect_output: called before each flush so that captured output joins it; from this thread.
        finished: says that the worker is on its way out and need not be killed.
        contact: when it lapses, the worker is killed as if its stream had ended.
    """

    def __init__(
        self,
        stream: WorkerStream,
        *,
        collect_output: Callable[[], None],
        finished: Callable[[], bool],
        contact: Contact | None = None,
    ) -> None:
        self._stream = stream
        self._collect_output = collect_output
        self._finished = finished
        self._contact = contact
        self._lock = threading.Lock()
        # Alert from the start: a short task then never has to wake the thread, which would cost it more than it takes.
        self._alert = True
        self._rested = True
        self._poll = select.poll()

    def start(self) -> None:
        """Starts the thread; it ends with the process."""
        # Unlike a `Thread`, this does not wait until the thread has had the processor.
        _thread.start_new_thread(self._run, ())

    def enter_rest(self) -> None:
        """The main thread goes into synchronous user code: read and write for it."""
        with self._lock:
            self._stream.resting = True
            self._rested = True
            asleep = not self._alert
            self._alert = True
        if asleep:
            self._stream.wake_pulse()

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ALL_SIGNALS)
        self._poll.register(self._stream.wake_descriptor, select.POLLIN)
        self._poll.register(self._stream, 0)
        next_heartbeat = time.monotonic() + HEARTBEAT_S
        while not self._finished():
            self._turn(until=next_heartbeat)
            if (now := time.monotonic()) >= next_heartbeat:
                next_heartbeat = now + HEARTBEAT_S
                # What captured output holds back is let go of even if nothing else calls for a look at it.
                self._collect_output()
                self._stream.send(WorkerReport(heartbeat=Heartbeat(resident_bytes=resident_bytes())))

    def _turn(self, *, until: float) -> None:
        timeout_s = max(until - time.monotonic(), 0.0)
        if self._stay_alert():
            timeout_s = min(timeout_s, OUTPUT_DELAY_S)
        reading = select.POLLIN if self._stream.resting else 0
        writing = select.POLLOUT if self._stream.has_unsent else 0
        self._poll.modify(self._stream, reading | writing)
        woken = False
        if self._contact is not None and self._contact.begun:
            timeout_s = min(timeout_s, max(self._contact.left_s, 0.0))
        ready = self._poll.poll(timeout_s * 1000)
        if self._contact is not None and self._contact.lapsed:
            kill_own_group()
        for descriptor, event in ready:
            if descriptor == self._stream.wake_descriptor:
                os.eventfd_read(descriptor)
                woken = True
            elif event & _GONE:
                self._nobody_listens()
            elif event & select.POLLIN:
                self._read()
        if woken or self._alert or self._stream.has_unsent:
            self._collect_output()
            self._stream.flush()

    def _stay_alert(self) -> bool:
        """Alert from the first rest until a whole turn has passed without one."""
        with self._lock:
            self._alert = self._stream.resting or self._rested
            self._rested = self._stream.resting
            return self._alert

    def _read(self) -> None:
        try:
            self._stream.read_at_rest()
        except StreamEnded:
            self._nobody_listens()

    def _nobody_listens(self) -> None:
        if not self._stream.resting and self._has_last_words():
            # The loop reads what came before the end, perhaps the permission to exit.
            time.sleep(_LAST_WORDS_S)
        if not self._finished():
            kill_own_group()

    def _has_last_words(self) -> bool:
        try:
            with socket.socket(fileno=os.dup(self._stream.fileno())) as connection:
                return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            return False


def kill_own_group() -> None:
    """Ends this process and everything in its group, without any further word."""
    os.killpg(0, signal.SIGKILL)
