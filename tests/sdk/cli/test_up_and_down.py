"""Starting and stopping the platform's process, with launchers of a few lines in its place."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.sdk.cli.conftest import Flyte

from flyte.cli.down import is_locked, stop
from flyte.cli.launching import PlatformDidNotStart, start_platform
from flyte.client.platform_folder import RunningPlatform

Launcher = Callable[[str], str]

READY = "import os, sys, time\nos.write(int(sys.argv[sys.argv.index('--ready-fd') + 1]), b'unix:x\\n')\n"


@pytest.fixture
def launcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Launcher:
    """Writes a program that can be started with `python -m`, and returns its name."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))

    def write(text: str) -> str:
        (tmp_path / "own_launcher.py").write_text(text)
        return "own_launcher"

    return write


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits to be stopped."""
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    yield process
    process.kill()
    process.wait()


def test_starting_returns_when_the_platform_says_that_it_is_ready(tmp_path: Path, launcher: Launcher) -> None:
    started = start_platform(tmp_path, detached=True, launcher=launcher(READY + "import signal\nsignal.pause()\n"))
    try:
        assert started.process.poll() is None
        assert os.getsid(started.process.pid) == started.process.pid
    finally:
        started.process.kill()
        started.process.wait()


def test_options_reach_the_launcher(tmp_path: Path, launcher: Launcher) -> None:
    program = READY + f"open({str(tmp_path / 'given')!r}, 'w').write(' '.join(sys.argv[5:]))\n"
    started = start_platform(tmp_path, detached=True, launcher=launcher(program), options=["--config", "/a.yaml"])
    started.process.wait()
    assert (tmp_path / "given").read_text() == "--config /a.yaml"


def test_a_config_that_is_not_there_is_refused_before_anything_starts(flyte: Flyte, here: Path) -> None:
    finished = flyte("up", "--config", "none.yaml")
    assert finished.code == 1
    assert "none.yaml" in finished.err
    assert not (here / "platform").exists()


def test_a_wrong_config_is_told_by_line_and_place(flyte: Flyte, here: Path) -> None:
    (here / "flyteplane.yaml").write_text("queues:\n  - {name: q, dept: 3}\n")
    finished = flyte("up", "--config", "flyteplane.yaml")
    assert finished.code == 1
    assert "line 2: queues[0].dept" in " ".join(finished.err.split())
    assert not (here / "platform").exists()


def test_a_worker_address_that_cannot_be_read_is_refused(flyte: Flyte, here: Path) -> None:
    finished = flyte("up", "--worker-listen", "7100")
    assert finished.code == 1
    assert "0.0.0.0:7100" in finished.err
    assert not (here / "platform").exists()


def test_a_reader_that_left_ends_a_command_without_a_word(here: Path) -> None:
    command = subprocess.Popen(
        [sys.executable, "-m", "flyte.cli", "up", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout is not None
    command.stdout.close()
    assert command.stderr is not None
    assert (command.stderr.read(), command.wait()) == (b"", 0)
    command.stderr.close()


def test_what_the_platform_said_before_it_ended_is_shown(tmp_path: Path, launcher: Launcher) -> None:
    text = "import sys\nprint('flyte up: the folder is read-only', file=sys.stderr)\nsys.exit(2)\n"
    with pytest.raises(PlatformDidNotStart, match=r"^the folder is read-only$"):
        start_platform(tmp_path, detached=True, launcher=launcher(text))


def test_a_silent_end_is_reported_with_its_code(tmp_path: Path, launcher: Launcher) -> None:
    with pytest.raises(PlatformDidNotStart, match="exit code 3"):
        start_platform(tmp_path, detached=True, launcher=launcher("import sys\nsys.exit(3)\n"))


def test_a_platform_that_hangs_is_stopped(tmp_path: Path, launcher: Launcher) -> None:
    text = f"import os, signal\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\nsignal.pause()\n"
    with pytest.raises(PlatformDidNotStart, match="not ready within"):
        start_platform(tmp_path, detached=True, launcher=launcher(text), timeout_s=1)


def test_stopping_waits_for_the_end(sleeper: subprocess.Popen[bytes], tmp_path: Path) -> None:
    running = RunningPlatform(endpoint="unix:x", pid=sleeper.pid, version="1", folder=tmp_path)
    assert stop(running, kill=False, timeout_s=10)
    assert sleeper.wait(5) == -15


def test_a_process_that_does_not_end_in_time_is_reported(tmp_path: Path) -> None:
    program = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint(flush=True)\nsignal.pause()"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    running = RunningPlatform(endpoint="unix:x", pid=process.pid, version="1", folder=tmp_path)
    try:
        assert not stop(running, kill=False, timeout_s=0.05)
        assert stop(running, kill=True, timeout_s=10)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_folder_is_locked_while_its_platform_lives(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    with (tmp_path / "platform.lock").open("w") as lock:
        assert not is_locked(tmp_path)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)


def test_stopping_what_does_not_run_is_no_error(flyte: Flyte, here: Path) -> None:
    (here / "platform").mkdir()
    (here / "platform" / "platform.json").write_text('{"endpoint": "unix:x", "pid": 1, "version": "1"}')
    finished = flyte("down")
    assert (finished.code, finished.out) == (0, f"No platform runs on {here / 'platform'}.\n")
