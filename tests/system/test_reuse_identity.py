"""Whatever replicas share makes the identity of their pool: a change gets a new pool, and the old one finishes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.announcements import Announcements
from tests.support.platform import PlatformUnderTest
from tests.support.processes import assert_ended
from tests.system.conftest import connect

import flyte
from flyte.client.init import set_settings

PROGRAM: Final = """
import json
import os

import flyte

VERSION = 1
env = flyte.TaskEnvironment(
    "changing",
    secrets=[flyte.Secret("PIN")],
    env_vars={"COLOUR": "red"},
    resources=flyte.Resources(cpu="100m", memory="200Mi"),
    reusable=flyte.ReusePolicy(replicas=1, idle_ttl=120, scaledown_ttl=120),
)
plain = flyte.TaskEnvironment("unchanging", depends_on=[env], resources=flyte.Resources(cpu="100m"))
warm_since = os.getpid()


def seen(**facts):
    words = {name: os.environ.get(name) for name in ("PIN", "OTHER", "COLOUR")}
    return json.dumps({"version": VERSION, "pid": os.getpid(), **words, **facts})


@env.task
def tell(announcements: str, gate: str) -> str:
    with open(announcements, "a") as file:
        file.write(seen() + "\\n")
    if gate:
        open(gate).read()
    return seen()


@env.task
def fill(mebibytes: int) -> str:
    return seen(filled=len(bytearray(mebibytes << 20)) >> 20)


@plain.task
async def apart() -> list[str]:
    other = fill.override(
        reusable="off",
        env_vars={"COLOUR": "blue"},
        secrets=[flyte.Secret("OTHER")],
        resources=flyte.Resources(cpu="100m", memory="600Mi"),
    )
    return [await fill.aio(1), await other.aio(300), await fill.aio(2)]
"""

_numbers = count(1)

CHANGES: Final = {
    "code": ("VERSION = 1", "VERSION = 2"),
    "variables": ('{"COLOUR": "red"}', '{"COLOUR": "green"}'),
    "resources": ('memory="200Mi"', 'memory="201Mi"'),
    "policy": ("idle_ttl=120", "idle_ttl=121"),
    "image": ('"changing",', '"changing", image=flyte.Image.from_debian_base().with_env_vars({"OTHER": "of image"}),'),
}


@pytest.fixture(scope="module")
def own_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    """A platform that knows the secrets."""
    platform = PlatformUnderTest(tmp_path_factory.mktemp("identity") / "platform")
    try:
        platform.start()
        for name, value in (("PIN", "1111"), ("OTHER", "another")):
            assert platform.ask("create", "secret", name, stdin=value).returncode == 0
        yield platform
        platform.stop()
        platform.assert_nothing_runs()
        platform.assert_no_work_left()
    finally:
        platform.destroy()


class Changing:
    """The program, and what its task sees."""

    def __init__(self, platform: PlatformUnderTest, folder: Path, announcements: Announcements) -> None:
        self.platform = platform
        self._announcements = announcements
        self._gate = folder / "gate"
        os.mkfifo(self._gate)
        self._path = folder / "changing.py"
        self._path.write_text(PROGRAM)

    def change(self, before: str, after: str) -> None:
        text = self._path.read_text()
        assert before in text
        self._path.write_text(text.replace(before, after))

    def tell(self, *, held: bool = False) -> tuple[flyte.remote.Run, Any]:
        """Runs the task; returns the run and what its code saw when it began."""
        name = f"r{next(_numbers)}"
        command = ("run", "--no-wait", "--name", name)
        arguments = ("--announcements", self._announcements.path, "--gate", str(self._gate) if held else "")
        answer = self.platform.flyte(*command, "changing.py", "tell", *arguments, cwd=self._path.parent)
        assert answer.returncode == 0, answer.stderr
        return flyte.remote.Run.get(name), self._announcements.next()

    def run(self, task: str) -> flyte.remote.Run:
        answer = self.platform.flyte("run", "--name", task, "changing.py", task, cwd=self._path.parent)
        assert answer.returncode == 0, answer.stderr
        return flyte.remote.Run.get(task)

    def let_go(self) -> None:
        """Whoever is held goes on."""
        self._gate.write_text("go")

    def pools(self) -> list[dict[str, Any]]:
        listed = json.loads(self.platform.ask("get", "pool", "--json").stdout)
        return [pool for pool in listed if pool["environment"] == "changing"]


@pytest.fixture
def changing(own_platform: PlatformUnderTest, tmp_path: Path, announcements: Announcements) -> Iterator[Changing]:
    connect(own_platform)
    yield Changing(own_platform, tmp_path, announcements)
    set_settings(None)


def value(run: flyte.remote.Run) -> Any:
    """What the task returned."""
    return json.loads(run.outputs()[0])


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_gets_a_new_pool_while_the_old_one_finishes(changing: Changing, what: str) -> None:
    first, before = changing.tell(held=True)
    changing.change(*CHANGES[what])
    second, after = changing.tell()
    assert after["pid"] != before["pid"]
    assert after != {**before, "pid": after["pid"]} or what in ("resources", "policy")
    assert value(second) == after
    living = changing.pools()
    assert sorted(pool["draining"] for pool in living) == [False, True]
    old = next(pool for pool in living if pool["draining"])
    assert old["running"] == 1
    changing.let_go()
    assert value(first) == before
    assert_ended([before["pid"]], within_s=20.0)
    third, again = changing.tell()
    assert again["pid"] == after["pid"]
    assert value(third) == again


def test_a_rotated_secret_gets_a_new_pool_while_the_old_one_finishes(changing: Changing) -> None:
    first, before = changing.tell(held=True)
    assert before["PIN"] == "1111"
    assert changing.platform.ask("update", "secret", "PIN", stdin="2222").returncode == 0
    second, after = changing.tell()
    assert (after["PIN"], value(second)["PIN"]) == ("2222", "2222")
    assert after["pid"] != before["pid"]
    changing.let_go()
    assert value(first)["PIN"] == "1111"
    assert_ended([before["pid"]], within_s=20.0)
    # A pool is forgotten soon after its last replica.
    deadline = time.monotonic() + 30.0
    while [pool["draining"] for pool in changing.pools()] != [False]:
        assert time.monotonic() < deadline, changing.pools()
        time.sleep(0.05)


def test_a_task_taken_off_its_pool_has_a_fresh_worker_with_what_it_was_given(changing: Changing) -> None:
    warm, apart, again = map(json.loads, changing.run("apart").outputs()[0])
    assert (warm["COLOUR"], warm["OTHER"], warm["filled"]) == ("red", None, 1)
    assert (apart["COLOUR"], apart["OTHER"], apart["PIN"], apart["filled"]) == ("blue", "another", None, 300)
    assert apart["pid"] != warm["pid"] == again["pid"]
    assert (again["COLOUR"], again["OTHER"], again["PIN"]) == ("red", None, warm["PIN"])
    assert_ended([apart["pid"]], within_s=20.0)
    answer = changing.platform.ask("get", "action", "apart", "--json").stdout
    assert answer.count('"SUCCEEDED"') == 4
