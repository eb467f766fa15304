"""Playing a worker's whole part once, without being one.

A template rehearses before it forks, so that caches are filled and code is specialised once for all workers. A worker
that was forked ahead rehearses while it waits: memory that it writes to is copied when it first does, which costs a
fork more time than the work itself, and it has that time to spare.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Final

from flyte.runner.forking import read_startup
from flyte.runner.main_thread import INTERRUPT
from flyte.runner.startup import Startup
from flyte.runner.worker import Worker
from flyte.spec.frames import FrameDecoder, encode_frame
from flyteapi.scheduler.v1.worker_service_pb2 import (
    Assign,
    DeclareRun,
    DeclareTask,
    EndAccepted,
    SessionRequest,
    SessionResponse,
    WorkerOrder,
)
from flyteapi.task.v1.task_spec_pb2 import Entrypoint, TaskSpec
from flyteapi.task.v1.value_pb2 import NamedValues, Payload

_MODULE: Final = "flyte.runner.rehearsed"
_LEASE: Final = 1
"""Of the one attempt there is, which no scheduler knows."""


class _Owner:
    """The other side of the rehearsed worker's stream, on the worker's own loop."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._decoder = FrameDecoder()
        self.attempt_ended = False

    def send(self, *orders: WorkerOrder) -> None:
        """Sends orders as one frame."""
        self._connection.sendall(encode_frame(SessionResponse(orders=orders).SerializeToString()))

    def readable(self) -> None:
        """Accepts the end of the attempt."""
        for frame in self._decoder.feed(self._connection.recv(1 << 16)):
            if any(report.HasField("ended") for report in SessionRequest.FromString(frame).reports):
                self.attempt_ended = True
                self.send(WorkerOrder(lease=_LEASE, end_accepted=EndAccepted()))


def rehearse() -> None:
    """Plays one attempt of an async task, and one of a synchronous task that fails. Leaves nothing behind."""
    with _process_as_it_was():
        _play("greet", is_async=True, inputs=_inputs("name"))
        _play("fail", is_async=False, inputs=_inputs("reason"))


def _inputs(name: str) -> bytes:
    message = NamedValues()
    message.values.add(name=name).value.string = "rehearsed"
    return message.SerializeToString()


def _play(attribute: str, *, is_async: bool, inputs: bytes) -> None:
    task = TaskSpec(name=attribute, entrypoint=Entrypoint(module=_MODULE, attribute=attribute), is_async=is_async)
    ours, theirs = socket.socketpair()
    owner = _Owner(ours)
    with ours, theirs:
        # The start-up frame is read as well, though what it says must not happen to this process.
        ours.sendall(encode_frame(b'{"name": "rehearsal", "env": {"A": "B"}, "groups": []}'))
        read_startup(theirs)
        worker = Worker(theirs, Startup(name="rehearsal"))
        worker.loop.add_reader(ours, owner.readable)
        owner.send(
            WorkerOrder(declare_task=DeclareTask(digest=b"digest", spec=task)),
            WorkerOrder(declare_run=DeclareRun(key="a/b/c", data_prefix="file:///nowhere/")),
            WorkerOrder(
                lease=_LEASE,
                assign=Assign(
                    run="a/b/c", action="a0", attempt=1, task_digest=b"digest", inputs=Payload(inline=inputs)
                ),
            ),
        )
        worker.work()
        worker.loop.remove_reader(ours)
        worker.close()
    _forget_module()
    if not owner.attempt_ended:
        raise RuntimeError(f"the rehearsed attempt of {attribute} did not end")


def _forget_module() -> None:
    """The next rehearsal imports it anew, as every worker imports its own."""
    package, _, name = _MODULE.rpartition(".")
    sys.modules.pop(_MODULE, None)
    vars(sys.modules[package]).pop(name, None)


@contextlib.contextmanager
def _process_as_it_was() -> Iterator[None]:
    """Puts back what a worker changes in its process."""
    streams = sys.stdout, sys.stderr
    variables = dict(os.environ)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        for name in os.environ.keys() - variables.keys():
            del os.environ[name]
        os.environ.update(variables)
        signal.signal(INTERRUPT, signal.SIG_DFL)
        random.seed()
        tempfile.tempdir = None
        time.tzset()
