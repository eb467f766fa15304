"""`flyte run`: the options that a task gives it, and one clear error for each kind of bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.sdk.cli.conftest import Flyte, within

PROGRAM = '''
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Literal

import flyte
import flyte.io

env = flyte.TaskEnvironment(name="shop")
LIMIT = 3


class Colour(Enum):
    RED = "r"
    BLUE = "b"


@dataclass
class Order:
    item: str
    count: int = 1


@env.task
async def show(
    number: int,
    ratio: float = 0.5,
    text_value: str = "a",
    flag: bool = False,
    colour: Colour = Colour.RED,
    numbers: list[int] | None = None,
    order: Order | None = None,
    mode: Literal["fast", "slow"] = "fast",
    wait: timedelta = timedelta(0),
) -> str:
    """Show what was given.

    Args:
        number: How many there are.
    """
    return f"{number} {ratio} {text_value} {flag} {colour.name} {numbers} {order} {mode} {wait}"


@env.task
async def plus(left: int, right_hand: list[str], more: int = 0) -> int:
    return left


@env.task
async def size(file: flyte.io.File) -> int:
    async with file.open("rb") as stream:
        return len(await stream.read())


@env.task
async def fail(x: int = 1) -> int:
    raise ValueError(f"no [bold]{x}[/bold]")


def plain() -> None: ...
'''


@pytest.fixture
def shop(here: Path) -> str:
    (here / "shop.py").write_text(PROGRAM)
    return "shop.py"


def test_inputs_are_options_by_their_types(flyte: Flyte, shop: str) -> None:
    finished = flyte(
        *("run", "--local", shop, "show", "--number", "7", "--ratio", "2", "--text-value", "[b]x", "--flag"),
        *("--colour", "blue", "--numbers", "[1, 2]", "--order", '{"item": "pen"}', "--mode", "slow", "--wait", "1h30m"),
    )
    assert finished.err == ""
    assert finished.out == "o0 = \"7 2.0 [b]x True BLUE [1, 2] Order(item='pen', count=1) slow 1:30:00\"\n"
    assert finished.code == 0


def test_defaults_hold_and_options_of_the_run_may_follow_the_task(flyte: Flyte, shop: str) -> None:
    finished = flyte("run", shop, "show", "--number=1", "--no-flag", "--local", "--json")
    assert json.loads(finished.out)["outputs"] == {"o0": "1 0.5 a False RED None None fast 0:00:00"}


def test_a_task_is_found_by_its_full_name(flyte: Flyte, shop: str) -> None:
    assert flyte("run", "--local", shop, "shop.show", "--number", "1").code == 0


@pytest.mark.parametrize("prefix", ["", "@"])
def test_a_file_is_given_by_its_path(flyte: Flyte, shop: str, here: Path, prefix: str) -> None:
    (here / "data.bin").write_bytes(b"12345")
    assert flyte("run", "--local", shop, "size", "--file", f"{prefix}data.bin").out == "o0 = 5\n"


def test_variables_reach_the_task(flyte: Flyte, here: Path) -> None:
    (here / "variables.py").write_text(
        "import os, flyte\nenv = flyte.TaskEnvironment(name='v')\n"
        "@env.task\nasync def read() -> str:\n    return os.environ['COLOUR']\n"
    )
    assert flyte("run", "--local", "-e", "COLOUR=red", "variables.py", "read").out == "o0 = 'red'\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show"], "Missing required parameter(s): --number (type: INTEGER)"),
        (["plus"], "Missing required parameter(s): --left (type: INTEGER), --right_hand (type: list[str])"),
        (["show", "--number", "x"], "Invalid value for '--number': 'x' is not a valid integer"),
        (["show", "--number", "1", "--ratio", "x"], "'--ratio': 'x' is not a valid number"),
        (["show", "--number", "1", "--colour", "green"], "'green' is none of RED, BLUE"),
        (["show", "--number", "1", "--mode", "medium"], "'medium' is none of fast, slow"),
        (["show", "--number", "1", "--numbers", "[1, x]"], "'--numbers': not the JSON that is needed"),
        (["show", "--number", "1", "--order", '{"count": "many"}'], "item: this field is missing"),
        (["show", "--number", "1", "--nmber", "2"], "No such option"),
        (["size", "--file", "missing.txt"], "file 'missing.txt' does not exist"),
        (["shwo", "--number", "1"], "has no task 'shwo'. Did you mean 'show'?"),
        (["plain"], "'plain' in"),
        (["LIMIT"], "is no task; it is of type int"),
        (["show", "--number", "1", "-e", "NOVALUE"], "'NOVALUE' is not KEY=VALUE"),
        (["show", "--number", "1", "--name", "Not A Name"], "name"),
    ],
)
def test_bad_input_is_one_clear_error(flyte: Flyte, shop: str, arguments: list[str], words: str) -> None:
    finished = flyte("run", "--local", shop, *arguments)
    assert words in " ".join(finished.err.split())
    assert finished.code == 1
    assert finished.err.count("─ Error ─") == 1
    assert "Traceback" not in finished.err


def test_a_file_that_is_missing_is_named(flyte: Flyte, shop: str) -> None:
    finished = flyte("run", "--local", "shp.py", "show")
    assert (finished.code, within(finished.err)) == (1, "File shp.py does not exist. Did you mean 'shop.py'?")


def test_a_file_without_an_environment_says_so(flyte: Flyte, here: Path) -> None:
    (here / "empty.py").write_text("x = 1\n")
    finished = flyte("run", "--local", "empty.py", "main")
    assert finished.code == 1
    assert "makes no flyte.TaskEnvironment" in finished.err


def test_two_environments_of_one_name_are_refused(flyte: Flyte, here: Path) -> None:
    (here / "twice.py").write_text(
        "import flyte\na = flyte.TaskEnvironment(name='x')\nb = flyte.TaskEnvironment(name='x')\n"
    )
    finished = flyte("run", "--local", "twice.py", "main")
    assert finished.code == 1
    assert "Duplicate environment name 'x'" in finished.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nowhere_at_all\n", "No module named 'nowhere_at_all'"),
        ("def (:\n", "SyntaxError"),
        ("1 / 0\n", "ZeroDiv"),
    ],
)
def test_code_that_does_not_import_shows_the_users_frames_only(flyte: Flyte, here: Path, text: str, words: str) -> None:
    (here / "broken.py").write_text(text)
    finished = flyte("run", "--local", "broken.py", "main")
    assert finished.code == 1
    assert words in finished.err
    assert "broken.py" in finished.err
    assert "flyte/cli" not in finished.err
    assert "importlib" not in finished.err


def test_a_failure_shows_the_users_traceback_and_its_message_as_it_is(flyte: Flyte, shop: str) -> None:
    finished = flyte("run", "--local", shop, "fail")
    assert finished.code == 1
    assert within(finished.err).endswith("The local run failed: ValueError: no [bold]1[/bold]")
    assert 'shop.py", line' in finished.err
    assert "flyte/local" not in finished.err


def test_a_failure_is_json_for_programs(flyte: Flyte, shop: str) -> None:
    finished = flyte("run", "--local", "--json", shop, "fail")
    assert json.loads(finished.out)["error"]["code"] == "ValueError"
    assert finished.code == 1


def test_without_a_platform_the_way_to_one_is_named(flyte: Flyte, shop: str) -> None:
    finished = flyte("run", shop, "show", "--number", "1")
    assert finished.code == 1
    assert "flyte up" in finished.err


def test_a_platform_that_does_not_answer_is_named(flyte: Flyte, shop: str, here: Path) -> None:
    finished = flyte("--endpoint", f"unix:{here}/no.sock", "run", shop, "show", "--number", "1")
    assert finished.code == 1
    assert f"No Flyteplane platform answers at unix:{here}/no.sock" in finished.err


def test_help_lists_tasks_and_inputs(flyte: Flyte, shop: str) -> None:
    tasks = flyte("run", shop, "--help").out
    assert "show" in tasks
    assert "Show what was given." in tasks
    inputs = flyte("run", shop, "show", "--help").out
    assert "--number" in inputs
    assert "How many there are." in inputs
    assert "--local" in inputs


def test_a_package_in_src_is_imported_by_its_own_name(flyte: Flyte, here: Path) -> None:
    package = here / "src" / "bakery"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "oven.py").write_text("import flyte\nenv = flyte.TaskEnvironment(name='oven')\n")
    (package / "main.py").write_text(
        "import flyte\nfrom bakery.oven import env as absolute\nfrom .oven import env as relative\n"
        "assert absolute is relative\nenv = flyte.TaskEnvironment(name='b', depends_on=[relative])\n"
        "@env.task\nasync def main() -> str:\n    return __name__\n"
        "@absolute.task\nasync def bake() -> int:\n    return 1\n"
    )
    assert flyte("run", "--local", "src/bakery/main.py", "main").out == "o0 = 'bakery.main'\n"
    rows = json.loads(flyte("deploy", "--dry-run", "--json", "src/bakery/main.py").out)
    # One deployment brings both: what an environment depends on is not deployed a second time by itself.
    assert [row["task"] for row in rows] == ["oven.bake", "b.main"]


def test_modules_beside_the_file_and_below_the_working_folder_are_found(flyte: Flyte, here: Path) -> None:
    (here / "jobs").mkdir()
    (here / "jobs" / "beside.py").write_text("A = 1\n")
    (here / "common.py").write_text("B = 2\n")
    (here / "jobs" / "daily.py").write_text(
        "import flyte\nimport beside\nimport common\nenv = flyte.TaskEnvironment(name='d')\n"
        "@env.task\nasync def main() -> int:\n    return beside.A + common.B\n"
    )
    assert flyte("run", "--local", "jobs/daily.py", "main").out == "o0 = 3\n"
