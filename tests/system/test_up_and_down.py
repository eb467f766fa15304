"""`flyte up` and `flyte down` as people use them, with work under way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.announcements import Announcements
from tests.support.ledger import Ledger
from tests.support.platform import PlatformUnderTest
from tests.support.processes import assert_ended
from tests.support.run_log import events_of
from tests.system.conftest import PROGRAMS
from tests.system.programs import fan_outs

import flyte
from flyte.client.init import set_settings
from flyte.remote import Run
from flyteapi.common.v1 import phase_pb2


@pytest.fixture
def at_home(tmp_path: Path) -> Iterator[PlatformUnderTest]:
    """A platform that only the command line starts and stops."""
    platform = PlatformUnderTest(tmp_path / "platform")
    yield platform
    set_settings(None)
    platform.destroy()


def up(platform: PlatformUnderTest) -> dict[str, str]:
    """Starts the platform, connects to it, and returns what it says of itself."""
    done = platform.flyte("up", marked=True)
    assert done.returncode == 0, done.stderr
    state: dict[str, str] = json.loads((platform.data / "platform.json").read_text())
    assert state["endpoint"] in done.stdout
    flyte.init(endpoint=state["endpoint"], root_dir=PROGRAMS)
    return state


def test_work_goes_on_where_it_was_after_down_and_up(at_home: PlatformUnderTest, ledger: Ledger) -> None:
    up(at_home)
    run = flyte.run(fan_outs.mixed, 40, ledger.path, 0.1)
    succeeded = set()
    for event in events_of(run):
        if event.phase == phase_pb2.PHASE_SUCCEEDED:
            succeeded.add(event.action)
        if len(succeeded) == 10:
            break
    done = at_home.flyte("down")
    assert (done.returncode, done.stderr) == (0, "")
    at_home.assert_nothing_runs(within_s=1)
    at_home.assert_no_work_left()
    again = at_home.flyte("down")
    assert (again.returncode, again.stdout) == (0, f"No platform runs on {at_home.data}.\n")
    up(at_home)
    assert run.outputs()[0] == sum(number * number for number in range(40))
    ledger.assert_ran_once(succeeded)
    assert at_home.flyte("down", "--kill").returncode == 0
    at_home.assert_nothing_runs()
    up(at_home)
    assert Run.get(run.name).outputs()[0] == run.outputs()[0]


def test_a_platform_that_was_killed_is_no_obstacle_to_up_and_down(
    at_home: PlatformUnderTest, announcements: Announcements
) -> None:
    state = up(at_home)
    client = at_home.flyte_in_background(
        "run", "counting.py", "counted",
        "--announcements", announcements.path, "--number", "21", "--seconds", "0.3",
        cwd=PROGRAMS,
    )  # fmt: skip
    assert client.stderr is not None
    # Said once the run is accepted; its task may have begun before its client hears of that.
    assert client.stderr.readline().startswith("Look at http")
    announcements.next()
    at_home.kill_process(int(state["pid"]))
    assert at_home.flyte("down").stdout == f"No platform runs on {at_home.data}.\n"
    assert up(at_home)["pid"] != state["pid"]
    shown, said = client.communicate(timeout=30)
    assert (client.returncode, said) == (0, "")
    assert shown == "o0 = 42\n"
    assert at_home.flyte("down").returncode == 0
    at_home.assert_nothing_runs()


def test_down_ends_a_platform_whose_tasks_do_not_want_to_end(
    at_home: PlatformUnderTest, announcements: Announcements
) -> None:
    from tests.system.programs import failing

    up(at_home)
    flyte.run(failing.deaf, announcements.path)
    worker = announcements.next()["pid"]
    assert at_home.flyte("down").returncode == 0
    assert_ended([worker], within_s=1)
    at_home.assert_nothing_runs(within_s=1)
