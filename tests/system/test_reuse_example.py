"""The example of the documentation: a model is loaded once for each warm replica, however often it is used."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.platform import PlatformUnderTest

import flyte

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCUMENTATION = EXAMPLES.parent / "docs" / "reuse.md"


def test_a_model_is_loaded_once_by_each_replica(shared: PlatformUnderTest) -> None:
    command = ("run", "--name", "warm-model", "--follow", "warm_model.py", "answer_all")
    answer = shared.flyte(*command, cwd=EXAMPLES)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    said = shared.ask("get", "logs", "warm-model").stdout
    counted = re.search(r"^(\d+) questions, (\d+) replicas, (\d+) loads of the model$", said, re.MULTILINE)
    assert counted is not None, said
    questions, replicas, loads = map(int, counted.groups())
    assert questions == 200
    assert 1 <= loads == replicas <= 2
    assert flyte.remote.Run.get("warm-model").outputs()[0]["lambda"] == "lambda"


def test_the_documentation_shows_the_example_as_it_is() -> None:
    code = (EXAMPLES / "warm_model.py").read_text()
    (shown,) = re.findall(r"```python\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
    parts = [part.strip() for part in shown.split("\n\n\n")]
    assert [part for part in parts if part not in code] == []
