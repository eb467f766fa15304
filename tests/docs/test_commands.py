"""Commands: what pages and messages tell people to type exists, and every command is told of."""

from __future__ import annotations

from pathlib import Path

import pytest
import rich_click as click
from tests.docs.command_lines import commands, lines_in_messages, lines_of, problems_of
from tests.docs.pages import PAGES, ROOT, blocks, words

SOURCES = [path for folder in ("sdk", "services") for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page_can_be_typed(page: Path) -> None:
    shell = [line for block in blocks(page) if block.language in ("", "sh", "console") for line in lines_of(block.text)]
    named = [word for word in words(page) if word.startswith("flyte ")]
    problems = [problem for line in shell for problem in problems_of(line, complete=True)]
    assert problems + [problem for line in named for problem in problems_of(line, complete=False)] == []


def test_commands_that_messages_recommend_can_be_typed() -> None:
    problems = {
        f"{source.relative_to(ROOT)}: {line}": problem
        for source in SOURCES
        for line in lines_in_messages(source)
        for problem in problems_of(line, complete=False)
    }
    assert problems == {}


def test_every_command_is_told_of_in_a_page() -> None:
    told = "\n".join(page.read_text() for page in PAGES)
    assert [path for path, command in commands() if not isinstance(command, click.Group) and path not in told] == []


def test_every_command_and_every_option_says_what_it_is() -> None:
    silent = [path for path, command in commands() if not command.help]
    silent += [
        f"{path} {one.opts[0]}"
        for path, command in commands()
        for one in command.params
        if isinstance(one, click.Option) and not one.hidden and not one.help
    ]
    assert silent == []
