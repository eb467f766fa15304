"""Files and functions stay small, and every module says why it exists."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

LONGEST_FILE = 600
LONGEST_FUNCTION = 80
FOLDERS = ("sdk", "services", "tools", "tests", "examples")


def python_files(repository: Path) -> list[Path]:
    """Returns our own Python files, in a stable order."""
    found = (path for folder in FOLDERS for path in (repository / folder).rglob("*.py"))
    return sorted(path for path in found if "__pycache__" not in path.parts)


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yields every function and method of a module."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_no_file_is_longer_than_a_reader_can_hold(repository: Path) -> None:
    files = python_files(repository)
    assert files
    lengths = {str(path.relative_to(repository)): len(path.read_text().splitlines()) for path in files}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen(repository: Path) -> None:
    too_long = [
        f"{path.relative_to(repository)}:{function.lineno} {function.name}"
        for path in python_files(repository)
        for function in functions(ast.parse(path.read_text()))
        if (function.end_lineno or function.lineno) - function.lineno >= LONGEST_FUNCTION
    ]
    assert too_long == []


def test_every_module_opens_with_a_docstring(repository: Path) -> None:
    silent = [str(path.relative_to(repository)) for path in python_files(repository) if not first_words(path)]
    assert silent == []


def first_words(path: Path) -> bool:
    """Tells whether the first thing in a module that says anything is a text."""
    lines = (line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#"))
    return next(lines, '"').startswith(('"', 'r"'))
