"""Clients while the platform goes away and comes back, and submissions that are made twice."""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import replace

import pytest
from tests.support.announcements import Announcements
from tests.support.cable import Cable
from tests.support.ledger import Ledger
from tests.support.platform import PlatformUnderTest
from tests.system.conftest import PROGRAMS
from tests.system.programs import counting, fan_outs

import flyte
from flyte.client.channel import connection
from flyte.client.init import require_settings, set_settings
from flyte.client.submit import DryRun
from flyte.errors import BaseRuntimeError
from flyte.models import ActionPhase
from flyte.remote import Run
from flyte.syncify import syncify
from flyteapi.admin.v1.run_service_pb2 import CreateRunRequest
from flyteapi.admin.v1.run_service_pb2 import Run as RunMessage


def test_waiting_in_a_program_goes_on_over_a_kill(platform: PlatformUnderTest, announcements: Announcements) -> None:
    run = flyte.run(counting.counted, announcements.path, 21, 0.5)
    results: list[int] = []
    waiting = threading.Thread(target=lambda: results.append(run.outputs()[0]))
    waiting.start()
    announcements.next()
    platform.kill()
    platform.start()
    waiting.join(30)
    assert results == [42]


@pytest.mark.parametrize("follow", [(), ("--follow",)], ids=["waits", "follows"])
def test_flyte_run_gives_the_result_of_a_run_whose_platform_was_killed(
    platform: PlatformUnderTest, announcements: Announcements, follow: tuple[str, ...]
) -> None:
    client = platform.flyte_in_background(
        "run", *follow, "counting.py", "counted",
        "--announcements", announcements.path, "--number", "21", "--seconds", "0.5",
        cwd=PROGRAMS,
    )  # fmt: skip
    assert client.stderr is not None
    # Said once the run is accepted; its task may have begun before its client hears of that.
    assert client.stderr.readline().startswith("Look at ")
    announcements.next()
    platform.kill()
    platform.start()
    shown, said = client.communicate(timeout=30)
    assert client.returncode == 0, said
    assert "42" in shown.splitlines()[-1]
    assert "Traceback" not in said


def test_followed_logs_go_on_over_a_kill_without_a_gap_or_a_repetition(
    platform: PlatformUnderTest, announcements: Announcements
) -> None:
    run = flyte.run(counting.talkative, announcements.path)
    lines: list[str] = []
    begun = threading.Event()

    def read() -> None:
        for line in run.get_logs():
            lines.append(line)
            begun.set()

    reading = threading.Thread(target=read)
    reading.start()
    assert begun.wait(30)
    platform.kill()
    platform.start()
    assert run.outputs()[0] == 2
    reading.join(30)
    assert lines == ["attempt 1 begins", "attempt 2 begins", "attempt 2 ends"]
    assert platform.ask("get", "logs", run.name, "--attempt", "1").stdout == "attempt 1 begins\n"
    assert platform.ask("get", "logs", run.name).stdout == "attempt 2 begins\nattempt 2 ends\n"


def test_a_run_goes_on_when_its_client_is_killed(platform: PlatformUnderTest, announcements: Announcements) -> None:
    client = platform.flyte_in_background(
        "run", "--name", "orphan", "counting.py", "counted",
        "--announcements", announcements.path, "--number", "4", "--seconds", "0.3",
        cwd=PROGRAMS,
    )  # fmt: skip
    announcements.next()
    client.send_signal(signal.SIGKILL)
    client.communicate()
    assert Run.get("orphan").outputs()[0] == 8


def test_a_submission_that_is_repeated_is_one_run_also_after_a_kill(
    platform: PlatformUnderTest, ledger: Ledger
) -> None:
    flyte.run(counting.counted, ledger.path, 1, 0.0).wait()
    before = len(list(Run.listall()))
    dry = flyte.with_runcontext(dry_run=True).run(counting.counted, ledger.path, 5, 0.0)
    request = completed(dry, number=5, ledger=ledger)
    first, second = submit(request), submit(request)
    Run.get(first.id.name).wait()
    platform.kill()
    platform.start()
    third = submit(request)
    assert first.id == second.id == third.id
    assert Run.get(first.id.name).outputs()[0] == 10
    assert sorted(entry["number"] for entry in ledger.entries()) == [1, 5]
    assert len(list(Run.listall())) == before + 1


def test_a_run_that_was_taken_by_a_platform_that_died_before_it_said_so_is_one_run(
    platform: PlatformUnderTest, announcements: Announcements
) -> None:
    direct = require_settings()
    with Cable(to=platform.endpoint.removeprefix("unix:")) as cable:
        set_settings(replace(direct, endpoint=f"127.0.0.1:{cable.port}"))
        flyte.run(counting.counted, announcements.path, 1, 0.0).wait()
        announcements.next()
        before = {run.name for run in Run.listall()}
        cable.mute()
        submitted: list[Run] = []
        client = threading.Thread(
            target=lambda: submitted.append(flyte.run(counting.counted, announcements.path, 5, 0.0))
        )
        client.start()
        announcements.next()
        platform.kill()
        cable.unmute()
        platform.start()
        client.join(60)
        (run,) = submitted
        assert run.outputs()[0] == 10
        assert {one.name for one in Run.listall()} == {*before, run.name}


def test_a_name_that_is_taken_is_refused_for_other_content_and_given_back_for_the_same(
    shared: PlatformUnderTest, ledger: Ledger
) -> None:
    named = flyte.with_runcontext(name="taken")
    first = named.run(counting.counted, ledger.path, 1, 0.0)
    assert first.outputs()[0] == 2
    before = first.details().action_details.state
    with pytest.raises(BaseRuntimeError, match="taken") as refused:
        named.run(counting.counted, ledger.path, 2, 0.0)
    assert refused.value.code == "AlreadyExists"
    same = named.run(counting.counted, ledger.path, 1, 0.0)
    assert (same.name, same.outputs()[0]) == ("taken", 2)
    assert Run.get("taken").details().action_details.state == before
    assert [entry["number"] for entry in ledger.entries()] == [1]
    again = shared.flyte(
        "run", "--name", "taken", "counting.py", "counted",
        "--announcements", ledger.path, "--number", "3", "--seconds", "0",
        cwd=PROGRAMS,
    )  # fmt: skip
    assert again.returncode == 1
    assert "taken" in again.stderr
    assert "Traceback" not in again.stderr
    assert Run.get("taken").phase is ActionPhase.SUCCEEDED


def test_a_platform_that_is_killed_right_after_it_accepted_a_run_carries_it_out(
    platform: PlatformUnderTest, ledger: Ledger
) -> None:
    flyte.run(fan_outs.fan_out, "fresh", 1, ledger.path, 0.0).wait()
    runs = [flyte.run(fan_outs.fan_out, "fresh", 3, ledger.path, 0.0) for _ in range(4)]
    platform.kill()
    platform.start()
    assert [run.outputs()[0] for run in runs] == [5] * 4
    listed = json.loads(platform.ask("get", "run", "--json").stdout)
    assert {one["run"] for one in listed} >= {run.name for run in runs}


def completed(dry: DryRun, *, number: int, ledger: Ledger) -> CreateRunRequest:
    """What the client would have sent: the dry run leaves the inputs out, which are stored before a run is created."""
    from flyte.types.interface import interface_codec

    encoded = interface_codec(counting.counted.interface).encode_inputs((ledger.path, number, 0.0), {})
    dry.request.inputs.inline = encoded
    return dry.request


@syncify
async def submit(request: CreateRunRequest) -> RunMessage:
    platform = connection()
    return (await platform.call(platform.runs.CreateRun, request)).run
