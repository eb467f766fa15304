"""Every line of the platform's log is an event with facts, as `flyteplane.observe.logs` says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

EVENT = re.compile(r"[a-z]+(_[a-z]+)*")
#: `foundation` lies below the kit of logs; the kit itself takes what libraries say.
MAY_USE_LOGGING = {"foundation/tasks.py", "observe/logs.py", "observe/otlp.py"}


def modules(repository: Path) -> Iterator[tuple[str, ast.Module]]:
    root = repository / "services/flyteplane"
    for path in root.rglob("*.py"):
        yield str(path.relative_to(root)), ast.parse(path.read_text())


def said(module: ast.Module) -> Iterator[ast.Call]:
    """Every call of a logger."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_log."):
            yield node


def events(text: ast.expr) -> list[object]:
    """The constants that an event is chosen from; what is put together as the program runs is none."""
    if isinstance(text, ast.IfExp):
        return [*events(text.body), *events(text.orelse)]
    return [text.value] if isinstance(text, ast.Constant) else []


def test_every_line_is_an_event_in_constant_words_with_facts_beside_it(repository: Path) -> None:
    calls = [(name, call) for name, module in modules(repository) for call in said(module)]
    odd = [
        f"{name}:{call.lineno}"
        for name, call in calls
        if len(call.args) != 1 or not all(EVENT.fullmatch(str(event)) for event in events(call.args[0]) or [" "])
    ]
    assert odd == []
    assert len(calls) > 90


def test_only_what_lies_below_the_kit_of_logs_says_something_without_it(repository: Path) -> None:
    users = {
        name
        for name, module in modules(repository)
        for node in ast.walk(module)
        if isinstance(node, ast.Import) and any(alias.name == "logging" for alias in node.names)
    }
    assert users == MAY_USE_LOGGING
