"""The first run of README, command after command as it stands there, and then from Python."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.command_lines import alternatives, lines_of
from tests.docs.pages import ROOT, blocks
from tests.sdk.cli.conftest import Flyte, flyte, here  # noqa: F401 - fixtures


@pytest.fixture
def afterwards(flyte: Flyte) -> Iterator[None]:  # noqa: F811 - the fixture
    """Leaves no platform behind, whichever command failed."""
    yield
    flyte("down", "--kill")


@pytest.mark.usefixtures("afterwards")
def test_the_first_run_of_the_readme_goes_as_it_says(
    here: Path,  # noqa: F811 - the fixture
    flyte: Flyte,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = list(blocks(ROOT / "README.md"))
    (hello, from_python), (first_run,) = (
        [block.text for block in code if block.language == "python"],
        [block.text for block in code if "flyte up  " in block.text],
    )
    (here / "hello.py").write_text(hello)
    run, said = "", ""
    for line in lines_of(first_run):
        (words,) = alternatives(line)
        if words == ["down"]:
            break
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hidden\n")))
        finished = flyte(*(run if word == "RUN" else word for word in words))
        assert finished.code == 0, f"{line}\n{finished.err}"
        said += finished.out
        run = run or json.loads(flyte("get", "run", "--json").out or "[]")[0]["run"] if "run" in words else run
    for expected in ("is up", "o0 = 30", "hello.main", "square", "DB_PASSWORD"):
        assert expected in said
    exec(compile(from_python, "README.md", "exec"), {})
    assert "o0=30" in capsys.readouterr().out
    assert "Stopped" in flyte("down").out
