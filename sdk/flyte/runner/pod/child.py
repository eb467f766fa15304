"""The fork that becomes the worker, made before the agent loads anything: gRPC does not survive a fork."""

from __future__ import annotations

import gc
import os
import socket
import sys
from dataclasses import dataclass
from typing import NoReturn

from flyte.runner.contact import Contact
from flyte.runner.forking import keep_only, leave_template
from flyte.runner.pod.deferred import MESSAGES
from flyte.runner.pod.prepared import prepared


@dataclass(frozen=True, slots=True)
class Child:
    """The worker as its parent holds it."""

    pid: int
    stream: socket.socket
    """Frames of worker messages."""
    output: int
    """Where everything comes out that the worker, or what it starts, writes to standard output and error."""


def fork_worker(contact: Contact) -> Child:
    """Forks the worker; it waits for the start-up frame on its stream. Raises OSError."""
    ours, theirs = socket.socketpair()
    read, write = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _become_worker(theirs.fileno(), write, contact)
    theirs.close()
    os.close(write)
    return Child(pid, ours, read)


def _become_worker(stream: int, output: int, contact: Contact) -> NoReturn:
    code = 70
    try:
        # The agent is the one that collects what ends below it.
        leave_template(adopts=False)
        connection = keep_only(stream=stream, output=output)
        with prepared(later=MESSAGES):
            # The modules of tasks ask for it first of all.
            import flyte.authoring.task_environment  # noqa: F401
            from flyte.runner.worker import run_worker

        gc.freeze()
        gc.enable()
        code = run_worker(connection, contact=contact)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)
