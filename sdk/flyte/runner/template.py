"""The warm template: a process that has everything imported that a worker needs, and forks when it is told to.

A fork of it costs 2 ms where a new interpreter with the same imports costs 150. It may never have a thread, since a
fork copies only the thread that forks, and never opens gRPC or a database, which do not survive one.

It is the parent of all its workers, and the adopter of whatever they leave behind: it reports how each worker ended,
once the worker's process group is dead, and kills descendants that outlived it. When its control socket closes it
kills all of them and ends, so that nothing of a platform that was killed goes on.

Control messages are JSON objects, one a packet (SOCK_SEQPACKET), the descriptors of a spawn as SCM_RIGHTS:

    to the template      {"spawn": name} with [stream, output]     {"signal": name, "number": n}
    from the template    {"ready": pid}   {"started": name, "pid": n}   {"refused": name, "error": text}
                         {"exited": name, "status": wait status}
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from flyte.runner.execution import EXIT_OF_DEFECT
from flyte.runner.forking import enter_group, keep_only, leave_template, remove_groups
from flyte.runner.linux import adopt_orphans, children_of_this_process
from flyte.runner.preload import preload
from flyte.runner.rehearsal import rehearse
from flyte.runner.worker import run_worker

_MOST_PACKET_BYTES: Final = 1 << 16
"""Far more than the cluster's side ever says at a time."""
_DESCRIPTORS: Final = 2
"""With one packet: the stream of a worker and its output."""
_FORK_SPARE_AFTER_MS: Final = 5
"""A worker that has just been started has the processor for so long before the next one is forked ahead."""
_REHEARSE_AFTER_S: Final = 0.03
"""A spare that is not wanted for so long uses its time; in a burst of starts it would only take time from others."""

_DESCRIPTOR_SPACE: Final = socket.CMSG_SPACE(_DESCRIPTORS * array.array("i").itemsize)


def receive_with_descriptors(source: socket.socket) -> tuple[bytes, list[int]]:
    """One packet and the descriptors that came with it; empty when the other side is gone."""
    try:
        content, control, _, _ = source.recvmsg(_MOST_PACKET_BYTES, _DESCRIPTOR_SPACE, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        # It was killed with something of ours unread.
        return b"", []
    descriptors = array.array("i")
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    return content, list(descriptors)


class Spare:
    """A worker forked ahead: it waits for its descriptors and is used once."""

    def __init__(self, pid: int, handover: socket.socket) -> None:
        self.pid = pid
        self._handover = handover

    def use(self, descriptors: list[int]) -> bool:
        """Makes it the worker of this stream and output; False if it is gone."""
        try:
            socket.send_fds(self._handover, [b"go"], descriptors)
        except OSError:
            return False
        finally:
            self._handover.close()
        return True


class Template:
    """The forking side. `serve` runs until the control socket closes."""

    def __init__(self, control: socket.socket, *, spares: int, groups: Sequence[str]) -> None:
        self._control = control
        self._groups = groups
        self._wanted_spares = spares
        self._spares: list[Spare] = []
        self._workers: dict[int, str] = {}
        self._pids: dict[str, int] = {}
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)

    def serve(self) -> None:
        """Forks, reports and cleans up until nobody is left to do it for."""
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        adopt_orphans()
        self._send({"ready": os.getpid()})
        events = select.poll()
        events.register(self._control, select.POLLIN)
        events.register(self._wake_read, select.POLLIN)
        open_for_orders = True
        while open_for_orders:
            lacking = len(self._spares) < self._wanted_spares
            ready = events.poll(_FORK_SPARE_AFTER_MS if lacking else None)
            if not ready:
                self._fork_spare()
            for descriptor, _event in ready:
                if descriptor == self._wake_read.fileno():
                    self._reap()
                else:
                    open_for_orders = self._obey()
        self._end_everything()

    def _send(self, message: Mapping[str, object]) -> None:
        try:
            self._control.send(json.dumps(message).encode())
        except (BrokenPipeError, ConnectionResetError):
            # The next read of the control socket says the same, and ends the template.
            return

    def _obey(self) -> bool:
        content, descriptors = receive_with_descriptors(self._control)
        if not content:
            return False
        order = json.loads(content)
        if (name := order.get("spawn")) is not None:
            self._spawn(name, descriptors)
        elif (name := order.get("signal")) is not None and name in self._pids:
            _signal_group(self._pids[name], order["number"])
        for descriptor in descriptors:
            os.close(descriptor)
        return True

    def _spawn(self, name: str, descriptors: list[int]) -> None:
        try:
            pid = self._use_spare(descriptors) or self._fork_worker(descriptors)
        except OSError as error:
            self._send({"refused": name, "error": str(error)})
            return
        self._workers[pid] = name
        self._pids[name] = pid
        self._send({"started": name, "pid": pid})

    def _use_spare(self, descriptors: list[int]) -> int:
        while self._spares:
            spare = self._spares.pop(0)
            if spare.use(descriptors):
                return spare.pid
        return 0

    def _fork_worker(self, descriptors: list[int]) -> int:
        pid = os.fork()
        if pid == 0:
            _become_worker(descriptors[0], descriptors[1])
        return pid

    def _fork_spare(self) -> None:
        handover, waiting = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid = os.fork()
        except OSError:
            # No room for a process ahead of need; the next worker is forked when it is asked for.
            self._wanted_spares = 0
            handover.close()
            waiting.close()
            return
        if pid == 0:
            _become_spare(waiting, self._groups)
        waiting.close()
        self._spares.append(Spare(pid, handover))

    def _reap(self) -> None:
        """Takes note of every child that ended. A worker is reported only when its whole group is dead."""
        while True:
            try:
                if not self._wake_read.recv(4096):
                    break
            except BlockingIOError:
                break
        while (pid := _ended_child()) != 0:
            # The id stays taken while the child is a zombie, so the group that is killed here is the worker's.
            _signal_group(pid, signal.SIGKILL)
            _pid, status = os.waitpid(pid, 0)
            self._forget_spare(pid)
            name = self._workers.pop(pid, None)
            if name is not None:
                del self._pids[name]
                self._kill_leftovers()
                self._send({"exited": name, "status": status})

    def _forget_spare(self, pid: int) -> None:
        left = [spare for spare in self._spares if spare.pid != pid]
        if len(left) < len(self._spares):
            # It ended before it was used. Another one might do the same, so no more are forked ahead.
            self._wanted_spares = 0
            self._spares = left

    def _kill_leftovers(self) -> None:
        """Kills children that nobody asked for: what a dead worker had moved out of its group."""
        known = self._workers.keys() | {spare.pid for spare in self._spares}
        for pid in children_of_this_process():
            if pid not in known:
                _signal(pid, signal.SIGKILL)

    def _end_everything(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for pid in [*self._workers, *(spare.pid for spare in self._spares)]:
            _signal_group(pid, signal.SIGKILL)
            _signal(pid, signal.SIGKILL)
        self._workers.clear()
        self._spares.clear()
        while True:
            self._kill_leftovers()
            try:
                os.wait()
            except ChildProcessError:
                break
        for base in self._groups:
            remove_groups(base)


def _ended_child() -> int:
    try:
        result = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    return result.si_pid if result is not None else 0


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        # Either all of the group is gone, or the fork has not yet made its group.
        _signal(pid, number)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _become_spare(waiting: socket.socket, groups: Sequence[str]) -> NoReturn:
    try:
        leave_template()
        kept = waiting.fileno()
        os.closerange(3, kept)
        os.closerange(kept + 1, 1 << 20)
        if not select.select([waiting], [], [], _REHEARSE_AFTER_S)[0]:
            _use_the_wait(groups)
        content, descriptors = receive_with_descriptors(waiting)
        if not content:
            os._exit(0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(EXIT_OF_DEFECT)
    _run(descriptors[0], descriptors[1])


def _use_the_wait(groups: Sequence[str]) -> None:
    for group in groups:
        # Where it fails, the worker says so if it needs the group.
        with contextlib.suppress(OSError):
            enter_group(group)
    rehearse()


def _become_worker(stream: int, output: int) -> NoReturn:
    try:
        leave_template()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(EXIT_OF_DEFECT)
    _run(stream, output)


def _run(stream: int, output: int) -> NoReturn:
    code = EXIT_OF_DEFECT
    try:
        code = run_worker(keep_only(stream=stream, output=output))
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def main(arguments: list[str]) -> int:
    """Serves a control socket. Arguments: its descriptor, how many spares to keep, folders for control groups."""
    control = socket.socket(fileno=int(arguments[0]))
    control.set_inheritable(False)
    template = Template(control, spares=int(arguments[1]), groups=arguments[2:])
    preload()
    rehearse()
    gc.collect()
    # Objects that the collector never touches again are pages that the forks keep sharing.
    gc.freeze()
    template.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
