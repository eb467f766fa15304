"""`flyte` without a platform: run, secrets, and what ran before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = '''
import os
import flyte

env = flyte.TaskEnvironment("cli")

@env.task(secrets="CLI_KEY")
async def length(twice: bool = False) -> int:
    """How long the secret is."""
    return len(os.environ["CLI_KEY"]) * (2 if twice else 1)

@env.task
async def refuses(word: str) -> int:
    raise ValueError(f"no {word} [bold]today[/bold]")
'''


def flyte(home: Path, *words: str, stdin: str = "", fails: bool = False) -> str:
    """Runs the command line with an empty home; returns what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLYTE_")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("flyte")), *words],
        cwd=home,
        env={**clean, "HOME": str(home)},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode != 0) is fails, done.stderr
    return done.stderr if fails else done.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a program in it."""
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def test_secrets_are_created_used_listed_and_deleted_without_a_platform(home: Path) -> None:
    said = flyte(home, "run", "--local", "program.py", "length", fails=True)
    assert "flyte create secret --local CLI_KEY" in said
    made = flyte(home, "create", "secret", "CLI_KEY", "--local", stdin="four\n")
    assert made.startswith("Created secret CLI_KEY")
    assert "four" not in made
    assert flyte(home, "run", "--local", "program.py", "length", "--twice") == "o0 = 8\n"
    assert json.loads(flyte(home, "get", "secret", "--local", "--json")) == [
        {"secret": "CLI_KEY", "group": "", "project": "", "domain": "", "local": True}
    ]
    assert flyte(home, "delete", "secret", "CLI_KEY", "--local").startswith("Deleted")
    assert "There is no secret" in flyte(home, "delete", "secret", "CLI_KEY", "--local", fails=True)


def test_runs_are_listed_without_a_platform(home: Path) -> None:
    assert flyte(home, "get", "run", "--local") == ""
    said = flyte(home, "run", "--local", "--name", "first", "program.py", "refuses", "--word", "tea", fails=True)
    assert "ValueError: no tea [bold]today[/bold]" in said
    (listed,) = json.loads(flyte(home, "get", "run", "--local", "--json", "--in-phase", "failed"))
    assert (listed["run"], listed["task"], listed["phase"]) == ("first", "cli.refuses", "FAILED")
    assert listed["inputs"] == "{'word': 'tea'}"
    assert json.loads(flyte(home, "get", "run", "--local", "--json", "--task-name", "cli.length")) == []
    assert "no tea" in flyte(home, "get", "run", "first", "--local")
    assert "There is no local run second" in flyte(home, "get", "run", "second", "--local", fails=True)
