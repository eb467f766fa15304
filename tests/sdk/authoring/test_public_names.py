"""The front door: which names there are, and how little they cost."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import flyte
from flyte import _MODULE_OF

HEAVY = {"grpc", "pydantic", "rich", "kubernetes", "sqlalchemy", "google.protobuf", "msgspec", "asyncio", "logging"}
DECLARE_A_TASK = """
import flyte
env = flyte.TaskEnvironment("e", resources=flyte.Resources(cpu=1), secrets=flyte.Secret("k"), cache="auto")
@env.task(retries=3)
def task(x: int) -> int: return x
task.override(timeout=3)
assert task(1) == 1
"""


@pytest.mark.parametrize("program", ["import flyte", DECLARE_A_TASK])
def test_declaring_tasks_loads_nothing_heavy(program: Any) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}\nprint('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(flyte.__file__).parent.parent)},
    ).stdout.split()
    assert HEAVY.isdisjoint(loaded)


def test_every_public_name_has_a_home_and_type_checkers_see_the_same_one() -> None:
    assert set(flyte.__all__) == set(_MODULE_OF)
    assert set(flyte.__all__) <= set(dir(flyte))
    tree = ast.parse(Path(flyte.__file__).read_text())
    seen_by_checkers = {
        alias.name: statement.module
        for block in tree.body
        if isinstance(block, ast.If)
        for statement in block.body
        if isinstance(statement, ast.ImportFrom) and statement.module not in ("flyte", "typing")
        for alias in statement.names
    }
    assert seen_by_checkers == _MODULE_OF


@pytest.mark.parametrize(
    "name", sorted(name for name, module in _MODULE_OF.items() if module.startswith(("flyte.spec", "flyte.authoring")))
)
def test_a_public_name_can_be_loaded(name: Any) -> None:
    assert getattr(flyte, name) is not None


def test_parts_are_reached_without_an_import_of_their_own() -> None:
    assert flyte.errors.OOMError.__name__ == "OOMError"
    assert flyte.models.MAX_INLINE_IO_BYTES == flyte.MAX_INLINE_IO_BYTES
    assert flyte.extend.TaskTemplate is flyte.TaskTemplate


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'flyte' has no attribute 'bogus'"):
        _ = flyte.bogus


def test_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert flyte.__version__ == flyte.version() == project["version"]
