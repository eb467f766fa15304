"""What commands print of texts that somebody else wrote."""

from __future__ import annotations

import re

import pytest
from rich.console import Console

from flyte.cli.output import print_details, print_table, table

#: Writes into the clipboard, wipes the screen, sets the title, and turns the direction of what follows.
HOSTILE = "a\x1b]52;c;ZXZpbA==\x07b\x1b[2J\x1b]0;title\x07c\u202ed\x9be\te"
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def test_a_terminal_is_told_nothing_by_names_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[HOSTILE, "second"]]
    print_table(["run", "error"], rows, empty="none")
    Console(width=200).print(table(["run", "error"], rows))
    print_details({"error": f"{HOSTILE}\n{HOSTILE}", "labels": {HOSTILE: 1}})
    printed = capsys.readouterr().out
    assert ACTING.search(printed) is None
    assert printed.count("ZXZpbA==") == 5
    assert "\N{SYMBOL FOR ESCAPE}" in printed
