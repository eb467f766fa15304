"""Whether a line that begins with `flyte` is a command: its names, options and arguments, without carrying it out."""

from __future__ import annotations

import ast
import functools
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import rich_click as click

from flyte.cli.gen import commands_below
from flyte.cli.main import main
from flyte.cli.run import DEPLOYED, SCRIPT

_IN_A_MESSAGE: Final = re.compile(r"`(flyte [^`]+)`")
_ENDS: Final = ("|", "&&", ";", ">", "&")


def lines_of(text: str) -> Iterator[str]:
    """Return each command `flyte` of a block of shell, without what comes before it."""
    for line in text.replace("\\\n", " ").splitlines():
        found = re.search(r"(?:^|[|&] |\$\()(flyte .*)", line.strip().removeprefix("$ "))
        if found is not None:
            yield found[1]


def alternatives(line: str) -> Iterator[list[str]]:
    """Return the words of a command after `flyte`, up to a pipe or a comment.

    `get|update` is one command and another, `[--by X]` is given, `...` stands for what is left out.
    """
    given = shlex.split(re.sub(r"[\[\]]", "", line.replace("\\|", "|")), comments=True)[1:]
    given = list(itertools.takewhile(lambda word: word not in _ENDS, given))
    choices = [word.split("|") if re.fullmatch(r"[a-z-]+(\|[a-z-]+)+", word) else [word] for word in given]
    for chosen in itertools.product(*choices):
        yield [word for word in chosen if word != "..."]


def lines_in_messages(source: Path) -> Iterator[str]:
    """Return the commands that texts of a module tell people to use; what is filled in reads NAME."""
    text = source.read_text()
    for node in ast.walk(ast.parse(text)) if "`flyte " in text else ():
        yield from _IN_A_MESSAGE.findall(_text_of(node))


def problems_of(line: str, *, complete: bool) -> list[str]:
    """Return what is wrong with a command. A complete one has all that it needs."""
    return [problem for words in alternatives(line) if (problem := _problem_of(words, complete=complete))]


def _problem_of(words: list[str], *, complete: bool) -> str:
    command: click.Command = main
    context = click.Context(main, info_name="flyte")
    while True:
        try:
            given, words, _ = command.make_parser(context).parse_args(list(words))
        except click.BadOptionUsage as error:
            # An option that is only spoken of has no value.
            return f"{context.command_path}: {error.format_message()}" if complete else ""
        except click.UsageError as error:
            return f"{context.command_path}: {error.format_message()}"
        if not isinstance(command, click.Group):
            return _problem_of_arguments(context, command, given, words, complete=complete)
        if not words or words[0].isupper() or command.name == DEPLOYED:
            return ""  # a group as a whole, or a deployed task, which has options of its own
        if command.name == "run" and words[0] not in (DEPLOYED, SCRIPT):
            return ""  # so has a task of a file
        found = commands().get(f"{context.command_path} {words[0]}")
        if found is None:
            return f"{context.command_path}: no command {words[0]}"
        context = click.Context(found, parent=context, info_name=words[0])
        command, words = found, words[1:]


@functools.cache
def commands() -> dict[str, click.Command]:
    """Return every command by its name in full, groups included."""
    return {" ".join(path): command for path, command in commands_below(main, ("flyte",))}


def _problem_of_arguments(
    context: click.Context, command: click.Command, given: dict[str, Any], rest: list[str], *, complete: bool
) -> str:
    if rest and not context.allow_extra_args and not command.context_settings.get("allow_extra_args"):
        return f"{context.command_path}: too many arguments: {' '.join(rest)}"
    missing = [one.name for one in command.params if complete and one.required and one.name not in given]
    return f"{context.command_path}: missing {', '.join(map(str, missing))}" if missing else ""


def _text_of(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "NAME" for part in node.values)
        return "".join(map(str, parts))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
