"""The launcher as a program: ready, stopped, killed, refused."""

from __future__ import annotations

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from flyteapi.admin.v1.identity_service_pb2 import WhoAmIRequest
from flyteapi.admin.v1.identity_service_pb2_grpc import IdentityServiceStub
from flyteapi.scheduler.v1.queue_service_pb2 import ListQueuesRequest
from flyteapi.scheduler.v1.queue_service_pb2_grpc import QueueServiceStub
from flyteplane.rpc.client import open_channel

START_WITHIN_S = 60


class Launched:
    """A launcher's process."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        ready, writing = os.pipe()
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "flyteplane.launcher",
                "--data",
                str(folder),
                "--ready-fd",
                str(writing),
                *arguments,
            ],
            pass_fds=(writing,),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(writing)
        readable, _, _ = select.select([ready], [], [], START_WITHIN_S)
        assert readable, "the launcher is neither ready nor dead"
        self.endpoint = os.read(ready, 4096).decode().strip()
        os.close(ready)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Signal it, and return its exit code and what it said on standard error."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said

    def refusal(self) -> tuple[int, str]:
        """The exit code and the words of one that did not start."""
        assert self.endpoint == ""
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "platform"


def one_line(said: str) -> str:
    lines = said.splitlines()
    assert len(lines) == 1, said
    assert lines[0].startswith("flyte up: ")
    return lines[0]


async def test_it_serves_goes_within_seconds_and_refuses_what_a_newer_build_left(folder: Path) -> None:
    launched = Launched(folder)
    assert json.loads((folder / "platform.json").read_text())["pid"] == launched.process.pid
    assert folder.stat().st_mode & 0o777 == 0o700
    async with open_channel(launched.endpoint) as channel:
        me = await IdentityServiceStub(channel).WhoAmI(WhoAmIRequest())
    assert me.mode == "embedded"
    launched.process.send_signal(signal.SIGHUP)
    await_logged(folder, "started without --config")
    assert await queue_names(launched) == ["default"]
    began = time.monotonic()
    assert launched.end() == (0, "")
    assert time.monotonic() - began < 15
    assert not (folder / "platform.json").exists()
    assert not (folder / "platform.sock").exists()
    refuses_a_database_of_a_newer_build(folder)


def refuses_a_database_of_a_newer_build(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "admin.db")) as connection:
        connection.execute("update admin_version set version_num = '9999'")
        connection.commit()
    code, said = Launched(folder).refusal()
    assert code == 2
    assert "newer build" in one_line(said)
    assert "admin.db" in said


async def test_a_second_one_says_who_is_there_and_a_killed_one_leaves_no_obstacle(folder: Path) -> None:
    first = Launched(folder)
    code, said = Launched(folder).refusal()
    assert code == 2
    assert f"process {first.process.pid}" in one_line(said)
    assert first.endpoint in said
    assert first.end(signal.SIGKILL)[0] == -signal.SIGKILL
    again = Launched(folder)
    async with open_channel(again.endpoint) as channel:
        await IdentityServiceStub(channel).WhoAmI(WhoAmIRequest())
    assert again.end(signal.SIGINT)[0] == 0


def test_a_folder_that_cannot_be_one_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, said = Launched(tmp_path / "file").refusal()
    assert code == 2
    assert "is not a folder" in one_line(said)


@pytest.mark.skipif(not os.path.ismount("/proc"), reason="needs a file system in which nobody can make folders")
def test_a_folder_that_cannot_be_made_is_refused_in_one_line() -> None:
    code, said = Launched(Path("/proc/flyteplane")).refusal()
    assert code == 2
    assert "/proc/flyteplane" in one_line(said)


def test_an_address_that_others_could_reach_is_refused_in_one_line(folder: Path) -> None:
    code, said = Launched(folder, "--endpoint", "0.0.0.0:9090").refusal()
    assert code == 2
    assert "other machines" in one_line(said)
    assert not folder.exists()


async def queue_names(launched: Launched) -> list[str]:
    async with open_channel(launched.endpoint) as channel:
        listed = await QueueServiceStub(channel).ListQueues(ListQueuesRequest())
    return [queue.name for queue in listed.queues]


def await_logged(folder: Path, words: str) -> None:
    """Returns once the log has the words."""
    deadline = time.monotonic() + 20
    while words not in (log := (folder / "platform.log").read_text()):
        assert time.monotonic() < deadline, log
        time.sleep(0.02)


async def test_sighup_takes_a_new_operator_file_and_a_wrong_one_changes_nothing(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "flyteplane.yaml"
    file.write_text("queues: [{name: one}]")
    launched = Launched(folder, "--config", str(file))
    assert await queue_names(launched) == ["default", "one"]
    file.write_text("queues: [{name: two}]")
    launched.process.send_signal(signal.SIGHUP)
    await_logged(folder, "operator_file_taken")
    assert await queue_names(launched) == ["default", "two"]
    file.write_text("queues: [{name: THREE}]")
    launched.process.send_signal(signal.SIGHUP)
    await_logged(folder, "queues[0].name: 'THREE'")
    assert await queue_names(launched) == ["default", "two"]
    assert launched.end() == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_reader_that_went_away_does_not_stop_the_platform(folder: Path) -> None:
    with open("/dev/full", "wb") as full:
        process = subprocess.Popen(
            [sys.executable, "-m", "flyteplane.launcher", "--data", str(folder), "--ready-fd", str(full.fileno())],
            pass_fds=(full.fileno(),),
        )
    deadline = time.monotonic() + START_WITHIN_S
    while not (folder / "platform.json").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.terminate()
    assert process.wait(30) == 0
