"""What commands print: tables and details for people, JSON for programs, never markup out of a user's text."""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.spec.visible import visible_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


@functools.cache
def console() -> Console:
    """Return the console of standard output."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def is_terminal() -> bool:
    """Tell whether standard output is a terminal."""
    return sys.stdout.isatty()


def print_json(value: Any) -> None:
    """Print a value as JSON: for people on a terminal on several lines."""
    indent = 2 if is_terminal() and _format() != "json-raw" else None
    click.echo(json.dumps(jsonable(value), indent=indent, ensure_ascii=False))


def _format() -> str:
    """Return the --output-format of the command that runs."""
    from flyte.cli.options import root_options

    context = click.get_current_context(silent=True)
    return "table" if context is None else root_options(context).output_format


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Print a table: with lines and fitted to a terminal, or one row a line with tabs between, for pipes."""
    texts = [[_cell(cell) for cell in row] for row in rows]
    if not is_terminal():
        for row in texts:
            click.echo("\t".join(cell.replace("\n", " ") for cell in row))
        return
    if not texts:
        click.echo(empty)
        return
    console().print(table(headings, texts))


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Return a table for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    simple = _format() == "table-simple"
    edges, header = (None, "") if simple else (box.SIMPLE_HEAD, "bold")
    drawn = Table(*headings, box=edges, header_style=header, pad_edge=False)
    for row in rows:
        texts = map(_cell, row)
        drawn.add_row(*(Text(text, style="" if simple else _STYLES.get(text, "")) for text in texts))
    return drawn


def print_details(rows: Mapping[str, Any]) -> None:
    """Print names and values, leaving out what is empty."""
    shown = {name: _cell(value) for name, value in rows.items() if value not in (None, "", [], {}, ())}
    width = max(map(len, shown), default=0)
    for name, text in shown.items():
        first, *others = text.splitlines() or [""]
        click.echo(f"{name:<{width}}  {first}")
        for line in others:
            click.echo(f"{'':<{width}}  {line}")


def jsonable(value: Any) -> Any:
    """Return a value in the forms that JSON has; a value of any other type as its text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if hasattr(type(value), "model_dump"):
        return jsonable(value.model_dump(mode="json"))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return str(value) if isinstance(value, Path) else repr(value)


def age(moment: datetime | None, *, now: datetime | None = None) -> str:
    """Return how long ago a moment was, for people; empty for None."""
    if moment is None:
        return ""
    return duration((now or datetime.now(UTC)) - moment) + " ago"


def duration(span: timedelta | None) -> str:
    """Return a span of time for people; empty for None."""
    if span is None:
        return ""
    seconds = max(span.total_seconds(), 0.0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 2 * 3600:
        return f"{seconds // 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} d"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    # Much of it was written by somebody else, and a terminal acts on more than it shows.
    return visible_text(value if isinstance(value, str) else str(jsonable(value)))


_STYLES = {
    "SUCCEEDED": "green",
    "RUNNING": "cyan",
    "PAUSED": "yellow",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "ABORTED": "magenta",
    "QUEUED": "bright_black",
}
