"""A list of steps in a tab of the report: what happened, one row after another.

Whatever is given is text and is escaped, so that a row can show untrusted values.
"""

from __future__ import annotations

import html
from datetime import datetime
from typing import Any, Final

from flyte.report.document import MAIN_TAB
from flyte.report.functions import get_tab

DEFAULT_LIMIT: Final = 300
"""How many characters of a value are shown unless a caller says otherwise."""


class Timeline:
    """Writes headings and rows to a tab of the current report."""

    def __init__(self, tab_name: str = MAIN_TAB) -> None:
        self._tab_name = tab_name

    def heading(self, text: Any) -> None:
        """Begin a section."""
        self._write(f"<h3>{_escaped(text)}</h3>")

    def row(
        self, *, icon: str = "\u2022", label: Any = "", meta: str = "", detail: str = "", error: Any = None
    ) -> None:
        """Add a step: what it was, small print beside it, text below it, and why it failed if it did."""
        pieces = [f"<span>{_escaped(icon)}</span> <b>{_escaped(label)}</b>"]
        if meta:
            pieces.append(f"<small style='color:#777'>{_escaped(meta)}</small>")
        if detail:
            pieces.append(f"<div style='margin-left:1.3em;white-space:pre-wrap'>{_escaped(detail)}</div>")
        if error is not None:
            pieces.append(f"<div style='margin-left:1.3em;color:#b00020;white-space:pre-wrap'>{_escaped(error)}</div>")
        self._write(f"<div style='margin:.3em 0'>{' '.join(pieces)}</div>")

    def _write(self, content: str) -> None:
        get_tab(self._tab_name).log(content)


def abbreviate(value: Any, limit: int = DEFAULT_LIMIT) -> str:
    """Return a value as text of at most `limit` characters, the last of them an ellipsis if something was cut."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else f"{text[: max(limit - 1, 0)]}\u2026"


def duration_ms(start_iso: Any, end_iso: Any) -> str:
    """Return the time between two moments in ISO 8601, such as "12 ms"; "" if either is none."""
    try:
        span = datetime.fromisoformat(str(end_iso)) - datetime.fromisoformat(str(start_iso))
    except (TypeError, ValueError):
        return ""
    return f"{span.total_seconds() * 1000:.0f} ms"


def _escaped(value: Any) -> str:
    return html.escape(str(value))
