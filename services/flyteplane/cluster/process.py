"""This machine as a cluster: workers are processes, forked from warm templates.

Start-up costs a fork (2 ms), not an interpreter. Every worker has a folder, a process group, and, where the machine
allows it, control groups of its own; all of them are gone when it has ended. A template that dies is replaced at once
and its workers live on. Whatever a platform that was killed left running is ended before the first worker is started.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Collection, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flyteplane.cluster.cgroups import ControlGroups, GroupSettings, WorkerGroup
from flyteplane.cluster.machine import machine_capacity
from flyteplane.cluster.ports import ClusterCapacity, ClusterHealth, PodConstraints, WorkerExit, WorkerSink, WorkerSpec
from flyteplane.cluster.process_fitness import process_fitness
from flyteplane.cluster.processes import boot_id, kill_group, start_time
from flyteplane.cluster.secret_folders import SecretFolders
from flyteplane.cluster.system_packages import SystemPackages
from flyteplane.cluster.template_process import TemplateProcess
from flyteplane.cluster.virtual_environments import VirtualEnvironments
from flyteplane.cluster.work_folders import WorkFolder, delete, sweep
from flyteplane.cluster.worker_environment import in_virtual_environment, of_template, passed_on
from flyteplane.cluster.worker_process import WorkerProcess, exit_of_status
from flyteplane.foundation.digest import digest
from flyteplane.foundation.errors import InvalidArgument, Unavailable
from flyteplane.foundation.tasks import BackgroundTasks
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import TaskSpec

_log = get_logger("cluster")

_WORKER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
#: Workers that the end of the platform ends are not waited for longer: nobody takes their results.
_CLOSE_GRACE_S: Final = 1.0
#: How long a worker whose stream has ended may take to end itself.
_LINGER_S: Final = 2.0
#: In a row; after so many every other start is refused at once.
_TEMPLATE_FAILURES: Final = 3
#: A second in all, for members that take milliseconds to leave.
_GROUP_REMOVAL_TRIES: Final = 50
_GROUP_REMOVAL_PAUSE_S: Final = 0.02


class ProcessCluster:
    """Implements `Cluster` on this machine.

    Args:
        data: the platform's folder; `work/` and `venvs/` in it belong to the cluster.
        name: in the operator's configuration.
        spares: workers that each template forks ahead; one makes the start of a single worker quicker.
        capacity: room for workers; by default all of this machine.
        platform_env: environment of the platform.
        limit_by_groups: whether to use control groups where they are to be had.
        data_socket: where workers reach the platform's objects; empty where these are files of this machine.
    """

    def __init__(
        self,
        data: Path,
        *,
        name: str = "local",
        spares: int = 1,
        capacity: ClusterCapacity | None = None,
        platform_env: Mapping[str, str] | None = None,
        limit_by_groups: bool = True,
        data_socket: str = "",
    ) -> None:
        self._name = name
        self._data = data
        self._work = data.absolute() / "work"
        self._spares = spares
        self._capacity = capacity or machine_capacity()
        given = os.environ if platform_env is None else platform_env
        self._worker_env, self._template_env = passed_on(given), of_template(given)
        self._limit_by_groups = limit_by_groups
        self._data_socket = data_socket
        self._system_packages = SystemPackages()
        self._environments = VirtualEnvironments(data.absolute() / "venvs")
        self._secrets = SecretFolders(self._work)
        self._groups: ControlGroups | None = None
        self._templates: dict[str, TemplateProcess] = {}
        self._failures: dict[str, int] = {}
        self._workers: dict[str, _Placed] = {}
        self._starting: dict[str, asyncio.Future[None]] = {}
        self._background = BackgroundTasks("cluster")
        self._cleanups: set[asyncio.Task[None]] = set()
        self._boot = boot_id()
        self._opened = False
        self._closed = False

    @property
    def name(self) -> str:
        """Name in the operator's configuration."""
        return self._name

    @property
    def kind(self) -> str:
        """See the port."""
        return "process"

    @property
    def outlives_owner(self) -> bool:
        """Processes end with the platform that forked them."""
        return False

    @property
    def contact_s(self) -> float:
        """See the port."""
        return 0.0

    def capacity(self) -> ClusterCapacity:
        """Room for workers."""
        return self._capacity

    def health(self) -> ClusterHealth:
        """This machine can always be asked."""
        return ClusterHealth()

    def refuse_unfit(self, task: TaskSpec, constraints: PodConstraints) -> None:
        """See the port."""
        process_fitness(task, missing_packages=self._system_packages.missing)

    async def adopt(self, name: str, sink: WorkerSink) -> bool:
        """See the port: what an owner before this one started was ended by `open`."""
        return False

    def let_go(self, *, replicas: bool = False) -> None:
        """See the port: processes end with their owner."""

    async def others(self, known: Collection[str]) -> Sequence[str]:
        """See the port."""
        return ()

    @property
    def template_pids(self) -> dict[str, int]:
        """Process ids of the templates by interpreter."""
        return {python: template.pid for python, template in self._templates.items() if template.alive}

    async def open(self) -> None:
        """Ends what a killed platform left behind and starts the template; done by the first `start` otherwise."""
        if self._opened:
            return
        self._opened = True
        self._work.mkdir(mode=0o700, parents=True, exist_ok=True)
        if leftovers := sweep(self._work):
            _log.info("leftover_workers_ended", workers=len(leftovers))
        self._secrets.sweep()
        if self._limit_by_groups:
            self._groups = ControlGroups.detect(f"flyteplane-{digest(str(self._work).encode())[:12]}")
        if self._groups is not None:
            self._groups.sweep()
        self._template(sys.executable)

    async def start(self, spec: WorkerSpec, sink: WorkerSink) -> None:
        """Starts a worker, or adopts the one of this name. See `Cluster.start`."""
        if _WORKER_NAME.fullmatch(spec.name) is None:
            raise InvalidArgument(
                f"a worker cannot be named {spec.name!r}", field="name", limit="200 letters, digits, '.', '_' and '-'"
            )
        if self._closed:
            raise Unavailable(f"cluster {self._name} is closing", reason="CLUSTER_CLOSED")
        await self.open()
        if (under_way := self._starting.get(spec.name)) is not None:
            await asyncio.wait([under_way])
        if (placed := self._workers.get(spec.name)) is not None:
            placed.process.sink = sink
            sink.opened(spec.name, placed.process)
            return
        self._starting[spec.name] = under_way = asyncio.get_running_loop().create_future()
        try:
            await self._place(spec, sink)
        finally:
            del self._starting[spec.name]
            under_way.set_result(None)

    async def _place(self, spec: WorkerSpec, sink: WorkerSink) -> None:
        python, env = sys.executable, {**self._worker_env, **spec.env}
        if spec.python_installs:
            interpreter = await self._environments.interpreter(spec.python_installs)
            python, env = str(interpreter), in_virtual_environment(env, interpreter)
        template = self._template(python)
        folder = WorkFolder(self._work / spec.name)
        try:
            if (aside := folder.create()) is not None:
                self._delete_aside(aside)
            process = WorkerProcess(
                spec.name,
                sink,
                first_frame=self._startup(spec, folder, env),
                stream_ended=self._stream_ended,
                gone=self._gone,
            )
            stream, output = process.open()
        except OSError as error:
            raise Unavailable(f"worker {spec.name} cannot be started: {error.strerror}", retry_after_s=1.0) from error
        self._workers[spec.name] = _Placed(process, folder, template)
        sink.opened(spec.name, process)
        template.spawn(spec.name, stream=stream, output=output)

    def _startup(self, spec: WorkerSpec, folder: WorkFolder, env: Mapping[str, str]) -> bytes:
        groups: list[GroupSettings] = []
        if self._groups is not None:
            cpu_millis = spec.cpu_millis if spec.cpu_millis < self._capacity.cpu_millis else 0
            groups = self._groups.settings(memory_bytes=spec.memory_bytes, cpu_millis=cpu_millis)
        limited = self._groups is not None and self._groups.limits_memory
        return json.dumps(
            {
                "name": spec.name,
                "replica": spec.replica,
                "env": dict(env),
                "cwd": str(folder.cwd),
                "temp": str(folder.temp),
                "secrets_folder": str(self._secrets.of_worker(spec.name)),
                "data_limit_bytes": 0 if limited else spec.memory_bytes,
                "groups": [[str(group.base), group.files] for group in groups],
                "data_socket": self._data_socket,
            }
        ).encode()

    def _template(self, python: str) -> TemplateProcess:
        template = self._templates.get(python)
        if template is not None and template.alive:
            return template
        if self._failures.get(python, 0) >= _TEMPLATE_FAILURES:
            # Each further start tries once more.
            self._failures[python] = _TEMPLATE_FAILURES - 1
            raise Unavailable(
                f"the template process of {python} ends before it is ready; see its error in the platform's log",
                reason="TEMPLATE_FAILED",
                retry_after_s=5.0,
            )
        groups = self._groups.bases if self._groups is not None else ()
        template = TemplateProcess(python, env=self._template_env, spares=self._spares, groups=groups, listener=self)
        template.start()
        self._templates[python] = template
        return template

    def started(self, template: TemplateProcess, name: str, pid: int) -> None:
        """The template has forked a worker."""
        placed = self._workers.get(name)
        if placed is None or placed.template is not template:
            return
        placed.process.pid = pid
        placed.process.started_at = start_time(pid)
        if self._groups is not None:
            placed.group = self._groups.of_process(pid)
        try:
            placed.folder.note(process=pid, boot=self._boot)
        except OSError as error:
            _log.warning("owner_of_folder_not_noted", folder=str(placed.folder.path), problem=str(error))

    def refused(self, template: TemplateProcess, name: str, error: str) -> None:
        """The template could not fork."""
        placed = self._workers.get(name)
        if placed is not None and placed.template is template:
            placed.process.ended(WorkerExit(name=name, known=False, message=f"it could not be started: {error}"))

    def exited(self, template: TemplateProcess, name: str, status: int) -> None:
        """A worker has ended, and with it its process group."""
        placed = self._workers.get(name)
        if placed is None or placed.template is not template:
            return
        out_of_memory = placed.group is not None and placed.group.ran_out_of_memory()
        if placed.group is not None:
            placed.group.kill()
        placed.process.ended(exit_of_status(name, status, out_of_memory=out_of_memory))

    def died(self, template: TemplateProcess) -> None:
        """A template is gone. Its workers go on; a new template takes its place."""
        (python,) = [python for python, known in self._templates.items() if known is template] or [""]
        if self._closed or not python:
            return
        self._background.start(template.close(), name="reap-template")
        self._failures[python] = 0 if template.was_ready else self._failures.get(python, 0) + 1
        _log.error("template_process_died", pid=template.pid)
        for placed in list(self._workers.values()):
            if placed.template is template and not placed.process.stream_open:
                self._end_without_template(placed)
        try:
            self._template(python)
        except (Unavailable, OSError) as error:
            _log.error("no_new_template_process", problem=str(error))

    def _stream_ended(self, process: WorkerProcess) -> None:
        placed = self._workers.get(process.name)
        if placed is None or process.exit is not None:
            return
        if not placed.template.alive:
            self._end_without_template(placed)
            return
        linger = asyncio.get_running_loop().call_later(_LINGER_S, self._signal, placed, signal.SIGKILL)
        self._background.start(_cancel_when_closed(process, linger), name="linger")

    def _end_without_template(self, placed: _Placed) -> None:
        """Nobody sees how this worker ends, so it is made sure that it has."""
        self._signal(placed, signal.SIGKILL)
        message = "its template process died before it, so nobody saw how it ended"
        placed.process.ended(WorkerExit(name=placed.process.name, known=False, message=message))

    def _signal(self, placed: _Placed, number: int) -> None:
        process = placed.process
        if number == signal.SIGKILL and placed.group is not None:
            placed.group.kill()
        if placed.template.alive:
            # The parent alone knows for certain that the id still names this worker.
            placed.template.signal(process.name, number)
        elif process.pid and process.started_at is not None and number == signal.SIGKILL:
            kill_group(process.pid, leader_started=process.started_at)
        elif process.pid and start_time(process.pid) == process.started_at:
            os.killpg(process.pid, number)

    def _gone(self, process: WorkerProcess) -> None:
        placed = self._workers.pop(process.name)
        assert process.exit is not None
        self._secrets.remove(process.name)
        if (aside := placed.folder.remove()) is not None:
            self._delete_aside(aside)
        if placed.group is not None and not placed.group.remove():
            self._clean_up(_remove_group(placed.group), name="remove-group")
        process.sink.exited(process.exit)

    def _delete_aside(self, folder: Path) -> None:
        self._clean_up(asyncio.to_thread(delete, folder), name="delete-folder")

    def _clean_up(self, work: Coroutine[None, None, None], *, name: str) -> None:
        task = self._background.start(work, name=name)
        self._cleanups.add(task)
        task.add_done_callback(self._cleanups.discard)

    async def stop(self, name: str, *, grace_s: float) -> None:
        """Ends a worker and all its processes; returns when they are gone. See `Cluster.stop`."""
        if (under_way := self._starting.get(name)) is not None:
            await asyncio.wait([under_way])
        placed = self._workers.get(name)
        if placed is None:
            return
        self._signal(placed, signal.SIGTERM)
        try:
            await asyncio.wait_for(placed.process.closed.wait(), grace_s)
        except TimeoutError:
            self._signal(placed, signal.SIGKILL)
            placed.process.close()
            await placed.process.closed.wait()

    async def close(self) -> None:
        """Stops all workers, reports their ends, and ends the templates."""
        self._closed = True
        await asyncio.gather(*(self.stop(name, grace_s=_CLOSE_GRACE_S) for name in list(self._workers)))
        await asyncio.gather(*(template.close() for template in self._templates.values()))
        self._templates.clear()
        # Folders and groups that are being removed; each ends by itself.
        while self._cleanups:
            await asyncio.wait(self._cleanups)
        self._secrets.sweep()
        if self._groups is not None:
            await asyncio.to_thread(self._groups.close)


class _Placed:
    """A worker with what it was given."""

    __slots__ = ("folder", "group", "process", "template")

    def __init__(self, process: WorkerProcess, folder: WorkFolder, template: TemplateProcess) -> None:
        self.process = process
        self.folder = folder
        self.template = template
        self.group: WorkerGroup | None = None


async def _cancel_when_closed(process: WorkerProcess, timer: asyncio.TimerHandle) -> None:
    await process.closed.wait()
    timer.cancel()


async def _remove_group(group: WorkerGroup) -> None:
    """Members that were killed leave a moment later, of which version 1 of control groups tells nobody."""
    for _try in range(_GROUP_REMOVAL_TRIES):
        await asyncio.sleep(_GROUP_REMOVAL_PAUSE_S)
        if group.remove():
            return
    _log.warning("control_group_still_has_members", folders=list(map(str, group.folders)))
