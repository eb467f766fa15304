"""Commands: what pages and messages tell people to type exists, and every command is told of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import rich_click as click
from tests.docs.command_lines import alternatives, commands, lines_in_messages, lines_of, problems_of
from tests.docs.pages import PAGES, ROOT, blocks, words

SOURCES = [path for folder in ("sdk", "services") for path in sorted((ROOT / folder).rglob("*.py"))]


def shell_lines(page: Path) -> list[str]:
    return [line for block in blocks(page) if block.language in ("", "sh", "console") for line in lines_of(block.text)]


def named_commands(page: Path) -> list[str]:
    return [word for word in words(page) if word.startswith("flyte ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page_can_be_typed(page: Path) -> None:
    problems = [problem for line in shell_lines(page) for problem in problems_of(line, complete=True)]
    problems += [problem for line in named_commands(page) for problem in problems_of(line, complete=False)]
    assert problems == []


def test_commands_that_messages_recommend_can_be_typed() -> None:
    problems = {
        f"{source.relative_to(ROOT)}: {line}": problem
        for source in SOURCES
        for line in lines_in_messages(source)
        for problem in problems_of(line, complete=False)
    }
    assert problems == {}


def test_every_command_is_told_of_in_a_page() -> None:
    lines = [line for page in PAGES for line in (*shell_lines(page), *named_commands(page))]
    told = {" ".join(["flyte", *typed[:count]]) for line in lines for typed in alternatives(line) for count in (1, 2)}
    assert [
        path for path, command in commands().items() if not isinstance(command, click.Group) and path not in told
    ] == []


def test_every_command_and_every_option_says_what_it_is() -> None:
    silent = [path for path, command in commands().items() if not command.help]
    silent += [
        f"{path} {one.opts[0]}"
        for path, command in commands().items()
        for one in command.params
        if isinstance(one, click.Option) and not one.hidden and not one.help
    ]
    assert silent == []


PROGRAMS = {
    "python -m flyteplane.launcher": "services/flyteplane/launcher/__main__.py",
    "python -m flyteplane.secrets": "services/flyteplane/secrets/__main__.py",
    "python deploy/images/build_context.py": "deploy/images/build_context.py",
    "python deploy/kubernetes/make_secrets.py": "deploy/kubernetes/make_secrets.py",
}
#: How `flyte up` speaks to the process that it starts.
OF_THE_LAUNCHER_ALONE = {"--ready-fd", "--foreground"}
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


@pytest.mark.parametrize(("program", "source"), PROGRAMS.items())
def test_options_of_other_programs_are_those_of_the_pages(program: str, source: str) -> None:
    has = set(re.findall(r'add(?:_argument)?\(\s*"(--[a-z-]+)"', (ROOT / source).read_text()))
    told = "\n".join(page.read_text().replace("\\\n", " ") for page in PAGES)
    calls = [re.split(r" && |#|`", line.partition(program)[2])[0] for line in told.splitlines() if program in line]
    assert calls
    assert {option for call in calls for option in OPTION.findall(call)} <= has | {"--help"}
    assert has - set(OPTION.findall(told)) - OF_THE_LAUNCHER_ALONE == set()
