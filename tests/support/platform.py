"""A real platform in a folder of a test: started, killed, started again, stopped, and what it left behind.

    platform = PlatformUnderTest(tmp_path / "platform")
    platform.start()
    platform.kill()             # as the kernel would: no word to anybody
    platform.start()
    platform.stop()
    platform.assert_nothing_runs()
    platform.destroy()

`start` starts the launcher itself, as a child that dies with the test's own process. `flyte` runs the command line as
people do, `ask` what needs no process of its own.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.support import processes
from tests.support.command_line import flyte_here
from tests.support.processes import MARK, Found

FLYTE: Final = Path(sys.executable).with_name("flyte")
START_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 20.0

#: A test run that is killed must not leave platforms behind: they are killed with it (PR_SET_PDEATHSIG).
DIE_WITH_PARENT: Final = (
    "import ctypes, os, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGKILL); os.execv(sys.argv[1], sys.argv[1:])"
)


class PlatformUnderTest:
    """A platform on a folder; not started yet. `options` are further words for the launcher's command line."""

    def __init__(
        self,
        data: Path,
        *,
        endpoint: str = "",
        env: Mapping[str, str] | None = None,
        said: Path | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.data = data
        self.endpoint = ""
        self._asked_endpoint = endpoint
        self._options = options
        self._said = said or data.with_name(f"{data.name}-said.txt")
        self._process: subprocess.Popen[bytes] | None = None
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("FLYTE_", "LC_"))}
        self.client_environment = {**clean, **(env or {}), "FLYTE_PLATFORM_DATA": str(data)}
        self.environment = {**self.client_environment, MARK: str(data)}

    @property
    def pid(self) -> int:
        """Process id of the services."""
        assert self._process is not None, "the platform was not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process of the services lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def said(self) -> str:
        """What the launcher printed."""
        return self._said.read_text() if self._said.exists() else ""

    def start(self) -> None:
        """Starts the platform, and returns when it is ready."""
        assert not self.running, "the platform runs already"
        ready, writing = os.pipe()
        command = [sys.executable, "-m", "flyteplane.launcher", "--data", str(self.data), "--ready-fd", str(writing)]
        if self._asked_endpoint:
            command += ["--endpoint", self._asked_endpoint]
        command += self._options
        try:
            with self._said.open("ab") as said:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", DIE_WITH_PARENT, *command],
                    pass_fds=(writing,),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    env=self.environment,
                    cwd="/",
                    start_new_session=True,
                )
            os.close(writing)
            readable, _, _ = select.select([ready], [], [], START_WITHIN_S)
            assert readable, f"the platform is neither ready nor dead after {START_WITHIN_S:g} s"
            self.endpoint = os.read(ready, 4096).decode().strip()
        finally:
            os.close(ready)
        assert self.endpoint, f"the platform did not start: {self.said}"

    def kill(self) -> None:
        """Kills the process of the services without a word; returns when it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_WITHIN_S)

    def stop(self) -> None:
        """Asks the platform to stop; returns when it has. Fails if it does not end well."""
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(STOP_WITHIN_S) == 0, f"the platform did not stop well: {self.said}"

    def wait(self, *, within_s: float) -> int:
        """Waits until the platform ends by itself; returns its exit code."""
        assert self._process is not None
        return self._process.wait(within_s)

    def destroy(self) -> None:
        """Kills whatever runs on the folder; for the end of a test, however it went."""
        if self.running:
            self.kill()
        # What ends by itself also removes its control groups.
        processes.await_end([found.pid for found in self.processes()], within_s=2.0)
        processes.kill_all(self.data)

    def processes(self) -> list[Found]:
        """Everything that runs for this platform."""
        return processes.processes_of(self.data)

    def template(self) -> Found:
        """The process that workers are forked from."""
        (template,) = [found for found in processes.children_of(self.pid) if "flyte.runner.template" in found.command]
        return template

    def assert_nothing_runs(self, *, within_s: float = 5.0) -> None:
        """Fails unless everything that ran for this platform has ended in time."""
        processes.assert_nothing_runs(self.data, within_s=within_s)

    def assert_no_work_left(self) -> None:
        """Fails if a folder of a worker is still there."""
        left = [path.name for path in (self.data / "work").iterdir()]
        assert not left, f"folders of workers that ended: {left}"

    def objects(self) -> set[str]:
        """Names of all that lies in the object store."""
        root = self.data / "objects"
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}

    def flyte(
        self,
        *arguments: str,
        cwd: Path | None = None,
        stdin: str = "",
        within_s: float = 60.0,
        marked: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs the `flyte` command to its end; `marked`, what it leaves running is found as of this platform."""
        return subprocess.run(
            [str(FLYTE), *arguments],
            env={**(self.environment if marked else self.client_environment), **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            cwd=cwd,
            timeout=within_s,
            check=False,
        )

    def ask(
        self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a `flyte` command that loads no program of a user in this process, which is a good deal quicker."""
        given = {name: value for name, value in self.client_environment.items() if name.startswith("FLYTE")}
        return flyte_here(*arguments, env={**given, **(env or {})}, stdin=stdin)

    def flyte_in_background(self, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Starts the `flyte` command against this platform; it is found as one of its processes."""
        return subprocess.Popen(
            [str(FLYTE), *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
        )

    def kill_process(self, pid: int) -> None:
        """Kills one of the processes of this platform without a word; returns when it is gone."""
        (found,) = [process for process in self.processes() if process.pid == pid]
        found.kill()
        processes.assert_ended([pid])

    def freeze(self) -> None:
        """Stops the process of the services where it is, so that it sees nothing of what happens next."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it go on as if no time had passed."""
        os.kill(self.pid, signal.SIGCONT)
