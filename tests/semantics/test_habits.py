"""What people write that no manual shows, and what they expect of it, in local runs and on a platform alike."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.semantics.conftest import Place
from tests.semantics.programs import habits

import flyte
import flyte.remote

SCRIPT = """
import threading

import flyte

env = flyte.TaskEnvironment("script")
lock = threading.Lock()


class Thing:
    def __init__(self, size):
        self.size = size

    class Part(str):
        pass


@env.task
async def make(size: int) -> Thing:
    return Thing(size)


@env.task
async def cannot_be_pickled() -> bool:
    return lock.locked()


@env.task
async def knows(thing: Thing, parts: list[Thing.Part], late: object) -> str:
    assert isinstance(thing, Thing) and type(parts[0]) is Thing.Part
    return f"{thing.size} {parts[0]} {late.word}"


@env.task
async def child(x: int) -> int:
    return x + 1


def made_in(number: int):
    @env.task(name="made")
    async def made(x: int) -> int:
        return await child(x) + number

    return made


if __name__ == "__main__":
    flyte.init_from_config()

    @env.task
    async def guarded(x: int) -> int:
        return await child(x) * 10

    made = made_in(5)
    asked = flyte.with_runcontext(interactive_mode=True).run(child, 6)
    runs = [flyte.run(child, 1), flyte.run(guarded, 2), flyte.run(made, 3), flyte.run(made_in(7), 4), asked]
    for run in runs:
        run.wait(run)
    print([run.outputs()[0] for run in runs])
    made = flyte.run(make, 3)
    made.wait()
    print(isinstance(made.outputs()[0], Thing), made.outputs()[0].size)

    class Late:
        word = "late"

    for options in ({}, {"copy_style": "all"}, {"interactive_mode": True}):
        known = flyte.with_runcontext(**options).run(knows, Thing(4), [Thing.Part("p")], Late())
        known.wait()
        print(known.outputs()[0])
"""


def test_wrapped_functions_templates_and_codes_of_the_users_own(place: Place) -> None:
    assert place.result(habits.main) == [
        *("6", "8", "select 5", "select 3"),
        *("OOMError OOM no room", "OOMError OOMKilled no room", "OOMError Mine no room"),
    ]


def test_a_script_of_any_name_runs_what_it_makes_below_its_main_guard(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "agents"
    folder.mkdir()
    script = folder / "01-first steps.py"
    script.write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=place.client_environment(home=tmp_path),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    said = "[2, 30, 9, 12, 7]\nTrue 3" + 3 * "\n4 p late"
    assert (ran.returncode, ran.stdout.strip()) == (0, said), ran.stderr[-3000:]


def test_records_of_a_run_that_is_found_by_name_have_fields(place: Place) -> None:
    if place.kind == "local":
        made = flyte.with_runcontext("local").run(habits.make).outputs()[0]
    else:
        run = flyte.run(habits.make)
        run.wait()
        made = flyte.remote.Run.get(run.name).outputs()[0]
        assert made == {"name": "it", "parts": [{"size": 1}, {"size": 2}]}
    assert (made.name, [part.size for part in made.parts]) == ("it", [1, 2])
