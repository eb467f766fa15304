"""Options that people know from the peer SDK's command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.sdk.cli.conftest import Flyte

PROGRAM = """
import flyte

env = flyte.TaskEnvironment("{name}", image={image})


@env.task
async def main(n: int = 1) -> int:
    return n
"""


def write(folder: Path, name: str, *, image: str = "'auto'") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.py"
    file.write_text(PROGRAM.format(name=name, image=image))
    return file


@pytest.mark.parametrize("spelling", ["--queue", "--task_queue", "--task-queue"])
def test_a_queue_has_three_spellings(flyte: Flyte, here: Path, spelling: str) -> None:
    file = write(here, "one")
    assert flyte("run", "--local", spelling, "gpu", str(file), "main", "--n", "3").out.strip() == "o0 = 3"


def test_two_queues_are_an_error(flyte: Flyte, here: Path) -> None:
    ended = flyte("run", "--local", "--queue", "a", "--task_queue", "b", str(write(here, "one")), "main")
    assert ended.code != 0
    assert "Give one queue" in ended.err


def test_a_deployment_is_rehearsed_under_both_spellings(flyte: Flyte, here: Path) -> None:
    file = write(here, "one")
    for spelling in ("--dry-run", "--dryrun"):
        assert [row["task"] for row in json.loads(flyte("deploy", spelling, "--json", str(file)).out)] == ["one.main"]


def test_all_files_of_a_folder_are_deployed_and_those_below_when_asked(flyte: Flyte, here: Path) -> None:
    write(here / "code", "one")
    write(here / "code", "two")
    write(here / "code" / "below", "three")
    (here / "code" / "notes.py").write_text("print('no environments here')")

    def tasks(*options: str) -> set[str]:
        rows = json.loads(flyte("deploy", "--dry-run", "--json", *options, str(here / "code")).out)
        return {row["task"] for row in rows}

    assert tasks("--all") == {"one.main", "two.main"}
    assert tasks("--recursive") == {"one.main", "two.main", "three.main"}


def test_files_that_cannot_be_imported_are_left_out_only_when_asked(flyte: Flyte, here: Path) -> None:
    write(here / "code", "one")
    (here / "code" / "broken.py").write_text("import flyte\nflyte.TaskEnvironment('b')\n1 / 0\n")
    refused = flyte("deploy", "--dry-run", "--all", str(here / "code"))
    assert refused.code == 1
    assert "ZeroDivisionError" in refused.err
    rest = flyte("deploy", "--dry-run", "--all", "-i", str(here / "code"))
    assert rest.code == 0
    assert "Left out" in rest.err
    assert "one.main" in rest.out


def test_images_are_named_on_the_command_line(flyte: Flyte, here: Path) -> None:
    file = write(here, "one", image="flyte.Image.from_base('registry/base:1')")
    assert json.loads(flyte("build", "--json", str(file)).out) == {"one": "registry/base:1"}
    by_name = write(here, "two", image="flyte.Image.from_ref_name('gpu')")
    assert flyte("deploy", "--dry-run", str(by_name)).code == 1
    assert flyte("deploy", "--dry-run", "--image", "gpu=registry/gpu:1", str(by_name)).code == 0
    assert "names no image" in flyte("deploy", "--dry-run", "--image", "gpu=", str(by_name)).err


def test_the_configuration_that_holds_here_is_shown(flyte: Flyte, here: Path) -> None:
    (here / "config.yaml").write_text("task: {project: p, domain: d}\n")
    shown = json.loads(flyte("--org", "o", "get", "config", "--json").out)
    assert (shown["project"], shown["domain"], shown["org"]) == ("p", "d", "o")
    assert shown["file"].endswith("config.yaml")
    assert shown["endpoint"] == "none: runs are local"
