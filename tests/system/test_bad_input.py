"""What the command line is given wrong: one clear error, no traceback of ours, an exit code, and nothing stored."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.platform import PlatformUnderTest

from flyte.remote import Run

BAD = Path(__file__).parent / "bad_programs"

CASES: dict[str, tuple[tuple[str, ...], str]] = {
    "unknown file": (("nothere.py", "main"), "nothere.py does not exist"),
    "no Python file": (("no_python.txt", "main"), "no Python file"),
    "folder": ((".", "main"), "no Python file"),
    "no environment": (("no_environment.py", "main", "--n", "1"), "no flyte.TaskEnvironment"),
    "unknown task": (("fine.py", "mian", "--n", "1"), "Did you mean 'main'"),
    "no task but a function": (("fine.py", "plain", "--n", "1"), "is no task"),
    "no task but a number": (("fine.py", "number"), "is no task"),
    "missing argument": (("fine.py", "main"), "--n"),
    "mistyped argument": (("fine.py", "main", "--n", "seven"), "'seven'"),
    "unknown argument": (("fine.py", "main", "--n", "1", "--m", "2"), "--m"),
    "two environments of one name": (("two_of_one_name.py", "one", "--n", "1"), "same"),
    "missing module": (("does_not_import.py", "main"), "nowhere_to_be_found"),
    "code that fails": (("fails_while_importing.py", "main"), "ZeroDivisionError"),
    "impossible setting": (("impossible_memory.py", "main", "--n", "1"), "resources.memory"),
    "bad name of the run": (("fine.py", "main", "--n", "1", "--name", "not a name!"), "name"),
    "bad variable": (("fine.py", "main", "--n", "1", "--env", "NOVALUE"), "KEY=VALUE"),
    "contradiction": (("fine.py", "main", "--n", "1", "--overwrite-cache", "--disable-cache"), "cache"),
}

REFUSED_BY_THE_PLATFORM: dict[str, tuple[tuple[str, ...], str]] = {
    "device that is not there": (("needs_a_gpu.py", "main", "--n", "1"), "resources.gpu"),
    "step of a container": (("needs_a_container.py", "main", "--n", "1"), "with_commands"),
    "unknown queue": (("fine.py", "main", "--n", "1", "--queue", "nosuch"), "nosuch"),
    "unknown project": (("fine.py", "main", "--n", "1", "--project", "nosuch"), "nosuch"),
}

NOT_THERE: dict[str, tuple[str, ...]] = {
    "run": ("get", "run", "nosuch"),
    "actions": ("get", "action", "nosuch"),
    "logs": ("get", "logs", "nosuch"),
    "abort": ("abort", "run", "nosuch"),
    "task": ("run", "deployed-task", "no.such", "--n", "1"),
    "secret": ("delete", "secret", "nosuch"),
}


def refused(done: subprocess.CompletedProcess[str], said: str) -> str:
    """Fails unless the command ended with one clear error."""
    assert done.returncode not in (0, None), done.stdout
    assert said in done.stderr, done.stderr
    assert done.stderr.count("─ Error ─") == 1, done.stderr
    assert "flyte/" not in done.stderr.replace(str(BAD), "")
    assert "flyteplane" not in done.stderr.replace(str(BAD), "").lower().replace("no flyteplane platform", "")
    assert not done.stdout.strip(), done.stdout
    return done.stderr


@pytest.mark.parametrize("case", CASES)
def test_what_can_be_seen_here_is_refused_before_anything_is_sent(shared: PlatformUnderTest, case: str) -> None:
    runs, objects = len(list(Run.listall())), shared.objects()
    arguments, said = CASES[case]
    refused(shared.flyte("run", *arguments, cwd=BAD), said)
    assert len(list(Run.listall())) == runs
    assert shared.objects() == objects


@pytest.mark.parametrize("case", REFUSED_BY_THE_PLATFORM)
def test_what_the_platform_refuses_makes_no_run(shared: PlatformUnderTest, case: str) -> None:
    runs = len(list(Run.listall()))
    arguments, said = REFUSED_BY_THE_PLATFORM[case]
    refused(shared.flyte("run", *arguments, cwd=BAD), said)
    assert len(list(Run.listall())) == runs


@pytest.mark.parametrize("what", NOT_THERE)
def test_what_is_not_there_is_said_by_name(shared: PlatformUnderTest, what: str) -> None:
    command = NOT_THERE[what]
    refused(shared.flyte(*command), "no.such" if what == "task" else "nosuch")


def test_an_import_that_fails_shows_the_frames_of_the_user_alone(shared: PlatformUnderTest) -> None:
    said = refused(shared.flyte("run", "fails_while_importing.py", "main", cwd=BAD), "ZeroDivisionError")
    frames = [line for line in said.splitlines() if line.lstrip("│ ").startswith("File ")]
    assert len(frames) == 1
    assert "fails_while_importing.py" in frames[0]


@pytest.mark.parametrize("endpoint", ["unix:/nowhere/at/all.sock", "127.0.0.1:1"])
def test_a_platform_that_is_not_there_is_said_with_what_to_do(shared: PlatformUnderTest, endpoint: str) -> None:
    said = refused(shared.flyte("--endpoint", endpoint, "run", "fine.py", "main", "--n", "1", cwd=BAD), endpoint)
    assert "flyte up" in said


def test_no_platform_at_all_is_said_with_what_to_do(tmp_path: Path) -> None:
    nowhere = PlatformUnderTest(tmp_path / "platform")
    said = refused(nowhere.flyte("get", "run"), "No Flyteplane platform")
    assert "flyte up" in said
    assert not nowhere.data.exists()


def test_a_platform_that_was_killed_is_said_to_be_gone(platform: PlatformUnderTest) -> None:
    platform.kill()
    said = refused(platform.flyte("run", "fine.py", "main", "--n", "1", cwd=BAD), "No Flyteplane platform answers")
    assert "flyte up" in said


class TestStarting:
    """`flyte up` where it cannot be."""

    def test_a_second_one_on_the_same_folder_names_the_first_and_leaves_it_alone(
        self, shared: PlatformUnderTest
    ) -> None:
        said = refused(shared.flyte("up", "--data", str(shared.data)), "runs on")
        assert str(shared.pid) in said
        assert shared.flyte("run", "fine.py", "main", "--n", "3", cwd=BAD).stdout == "o0 = 3\n"

    def test_a_folder_that_cannot_be_written_is_refused(self, tmp_path: Path) -> None:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        command = f"exec {up(locked / 'platform')}"
        if os.geteuid() == 0:
            command = f"mount -t tmpfs -o ro tmpfs {locked} && {command}"
        refused(in_own_mounts(command, tmp_path), "cannot be written")

    @pytest.mark.parametrize("room", ["64k", "300k"])
    def test_a_full_disk_is_refused(self, tmp_path: Path, room: str) -> None:
        needs_root("only root may mount a small disk")
        disk = tmp_path / "disk"
        disk.mkdir()
        command = f"mount -t tmpfs -o size={room} tmpfs {disk} && exec {up(disk / 'platform')}"
        refused(in_own_mounts(command, tmp_path), "full")

    def test_a_file_in_place_of_the_folder_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        refused(PlatformUnderTest(tmp_path / "p").flyte("up", "--data", str(tmp_path / "file")), "file")

    def test_a_port_that_is_taken_is_refused(self, tmp_path: Path, bound_port: int) -> None:
        asked = PlatformUnderTest(tmp_path / "platform", endpoint=f"127.0.0.1:{bound_port}")
        with pytest.raises(AssertionError, match="did not start"):
            asked.start()
        said = asked.said.splitlines()
        assert len(said) == 1, said
        assert f"127.0.0.1:{bound_port} is in use" in said[0]
        asked.assert_nothing_runs()

    def test_a_socket_that_is_taken_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "taken.sock"
        with socket.socket(socket.AF_UNIX) as taken:
            taken.bind(str(path))
            taken.listen()
            asked = PlatformUnderTest(tmp_path / "platform", endpoint=f"unix:{path}")
            with pytest.raises(AssertionError, match="did not start"):
                asked.start()
            assert path.exists()
        said = asked.said.splitlines()
        assert len(said) == 1, said
        assert "taken.sock is in use" in said[0]
        asked.assert_nothing_runs()


@pytest.fixture
def bound_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def needs_root(why: str) -> None:
    if os.geteuid() != 0:
        pytest.skip(why)


def up(folder: Path) -> str:
    from tests.support.platform import FLYTE

    return f"{FLYTE} up --data {folder}"


def in_own_mounts(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a shell command; what root mounts in it is seen by nobody else and gone with it."""
    prefix = ["unshare", "--mount"] if os.geteuid() == 0 else []
    environment = PlatformUnderTest(folder / "platform").environment
    return subprocess.run(
        [*prefix, "sh", "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
