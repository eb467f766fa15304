"""An embedded platform of the benchmark's own, in a folder that is removed afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

#: Programs of this interpreter's environment.
_FLYTE = Path(sys.executable).with_name("flyte")


class MeasuredPlatform:
    """Starts a platform with `flyte up` and stops it with `flyte down`.

    Args:
        options: further ones of `flyte up`.
    """

    def __init__(self, *, options: Sequence[str] = ()) -> None:
        self._options = options
        self.folder = Path(tempfile.mkdtemp(prefix="flyteplane-bench-"))
        self.data = self.folder / "platform"
        self._environment = {**os.environ, "FLYTE_PLATFORM_DATA": str(self.data)}
        self.started_at = 0.0

    def __enter__(self) -> Self:
        self.started_at = time.perf_counter()
        self._flyte("up", *self._options)
        os.environ["FLYTE_PLATFORM_DATA"] = str(self.data)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flyte("down")
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, task: Any, **inputs: object) -> Any:
        """Runs a task to its end; returns its first output."""
        return self.outputs(task, **inputs)[0]

    def outputs(self, task: Any, **inputs: object) -> Any:
        """Runs a task to its end; returns its outputs."""
        import flyte

        flyte.init_from_config()
        run = flyte.run(task, **inputs)
        run.wait()
        run.raise_for_status()
        return run.outputs()

    def first_line_of(self, task: Any) -> tuple[str, float]:
        """Runs a task to its end; returns the first line that it wrote, and when the client had it."""
        import flyte

        flyte.init_from_config()
        run: Any = flyte.run(task)
        line = next(iter(run.get_logs()))
        seen = time.time()
        run.wait()
        run.raise_for_status()
        return line, seen

    def processes(self) -> list[psutil.Process]:
        """Every process of the platform."""
        import json

        pid = json.loads((self.data / "platform.json").read_text())["pid"]
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]

    def memory_mb(self) -> dict[str, float]:
        """Memory of every process by what it is: proportional share, so that forked pages count once."""
        found: dict[str, float] = {}
        for process in self.processes():
            try:
                name = _role(process)
                megabytes = process.memory_full_info().pss / 2**20
            except psutil.Error:
                continue
            found[name] = round(found.get(name, 0.0) + megabytes, 1)
        return found

    def cpu_seconds(self) -> float:
        """Cpu time that all processes have used so far."""
        total = 0.0
        for process in self.processes():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            total += times.user + times.system
        return total

    def services_cpu_seconds(self) -> float:
        """Cpu time of the process that carries the services."""
        times = self.processes()[0].cpu_times()
        return float(times.user + times.system)

    def _flyte(self, *arguments: str) -> None:
        command = [str(_FLYTE), *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"flyte {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def _role(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    if "flyteplane.launcher" in command:
        return "services"
    parent = process.parent()
    if parent is not None and "flyte.runner.template" in " ".join(parent.cmdline()):
        return "workers"
    return "template"
