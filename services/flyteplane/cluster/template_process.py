"""The platform's side of one warm template: starts it, tells it to fork, hears of forks that ended.

The messages are described in the template's own program (`python -m flyte.runner.template`). A template that dies is
started again by its owner; workers that it had forked live on, but nobody is left who sees how they end.
"""

from __future__ import annotations

import array
import asyncio
import json
import os
import socket
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from flyteplane.observe import get_logger

_log = get_logger("cluster")

_PROGRAM: Final = "flyte.runner.template"
#: Far more than a template ever says at a time.
_MOST_PACKET_BYTES: Final = 1 << 16
#: A template kills its workers and ends within milliseconds; one that hangs is killed.
_CLOSE_PATIENCE_S: Final = 5.0


class TemplateListener(Protocol):
    """Hears what a template says. All calls come on the event loop."""

    def started(self, template: TemplateProcess, name: str, pid: int) -> None:
        """A worker was forked."""

    def refused(self, template: TemplateProcess, name: str, error: str) -> None:
        """A worker could not be forked."""

    def exited(self, template: TemplateProcess, name: str, status: int) -> None:
        """A worker has ended with this wait status, and its process group is dead."""

    def died(self, template: TemplateProcess) -> None:
        """The template is gone; nothing more is heard of its workers."""


class TemplateProcess:
    """One template.

    Args:
        python: the interpreter to run it with.
        env: the template's whole environment; workers get one of their own.
        spares: workers to fork ahead.
        groups: folders in which workers make their control groups.
        listener: hears of workers.
    """

    def __init__(
        self, python: str, *, env: Mapping[str, str], spares: int, groups: Sequence[Path], listener: TemplateListener
    ) -> None:
        self._python = python
        self._env = dict(env)
        self._spares = spares
        self._groups = [str(group) for group in groups]
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[bytes, Sequence[int]]] = deque()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self.was_ready = False
        """Whether it ever answered."""

    @property
    def pid(self) -> int:
        """Process id; 0 while it does not run."""
        return self._process.pid if self._process is not None else 0

    @property
    def alive(self) -> bool:
        """Whether it can be told anything."""
        return self._control is not None

    def start(self) -> None:
        """Starts the process; what it is told before it is ready waits in its socket. Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [self._python, "-P", "-m", _PROGRAM, str(theirs.fileno()), str(self._spares), *self._groups],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                # A terminal's Ctrl-C is for the platform, which then ends its workers in order.
                start_new_session=True,
            )
        ours.setblocking(False)
        self._control = ours
        self._loop.add_reader(ours, self._readable)

    def spawn(self, name: str, *, stream: int, output: int) -> None:
        """Asks for a worker. The two descriptors belong to the template from here on."""
        self._send({"spawn": name}, (stream, output))

    def signal(self, name: str, number: int) -> None:
        """Sends a signal to a worker's process group, if the worker still runs."""
        self._send({"signal": name, "number": number}, ())

    def _send(self, message: Mapping[str, object], descriptors: Sequence[int]) -> None:
        if self._control is None:
            _close_all(descriptors)
            return
        self._queue.append((json.dumps(message).encode(), descriptors))
        if len(self._queue) == 1:
            self._write()

    def _write(self) -> None:
        assert self._control is not None
        while self._queue:
            content, descriptors = self._queue[0]
            try:
                self._control.sendmsg([content], _rights(descriptors))
            except (BlockingIOError, InterruptedError):
                self._loop.add_writer(self._control, self._write)
                return
            except OSError:
                # The reader hears the end as well and tells the owner.
                break
            self._queue.popleft()
            _close_all(descriptors)
        self._loop.remove_writer(self._control)

    def _readable(self) -> None:
        assert self._control is not None
        try:
            content = self._control.recv(_MOST_PACKET_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            content = b""
        if content:
            self._hear(json.loads(content))
        else:
            self._disconnect()
            self._listener.died(self)

    def _hear(self, message: Mapping[str, object]) -> None:
        match message:
            case {"ready": _}:
                self.was_ready = True
            case {"started": str(name), "pid": int(pid)}:
                self._listener.started(self, name, pid)
            case {"exited": str(name), "status": int(status)}:
                self._listener.exited(self, name, status)
            case {"refused": str(name), "error": str(error)}:
                self._listener.refused(self, name, error)
            case _:
                _log.error("unknown_words_of_template", words=repr(message))

    def _disconnect(self) -> None:
        if self._control is None:
            return
        self._loop.remove_reader(self._control)
        self._loop.remove_writer(self._control)
        self._control.close()
        self._control = None
        while self._queue:
            _close_all(self._queue.popleft()[1])

    async def close(self) -> None:
        """Closes the control socket: the template kills all its workers and ends. Returns once it has ended."""
        self._disconnect()
        if self._process is not None:
            await asyncio.to_thread(_wait, self._process)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_CLOSE_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _rights(descriptors: Sequence[int]) -> list[tuple[int, int, array.array[int]]]:
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
