"""The one panel on standard error that says what went wrong and what mends it."""

from __future__ import annotations

import sys
from typing import Final

_FRAME: Final = 4
"""Columns of the two edges with their spaces."""
_NARROWEST: Final = 80
_WIDEST: Final = 1000


def print_panel(text: str, *, title: str = "Error") -> None:
    """Print a text within a frame, as it is: nothing in it is taken for markup.

    Where no terminal limits it, lines are broken at 1000 columns only, so that programs and logs can be searched for
    what it says.
    """
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    lines = [Text.from_ansi(line) for line in text.expandtabs(4).splitlines()]
    widest = max((line.cell_len + _FRAME for line in lines), default=0)
    width = None if sys.stderr.isatty() else min(max(_NARROWEST, widest), _WIDEST)
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, width=width)
    console.print(Panel(Text("\n").join(lines), title=title, title_align="left", border_style="red"))
