"""Logs as people see them: all lines one after another, or in a terminal the last ones in a box that scrolls."""

from __future__ import annotations

import sys
import warnings
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from flyte.client.channel import connection
from flyte.remote.logs import print_lines, stream_lines
from flyteapi.common.v1.identity_pb2 import ActionId

if TYPE_CHECKING:
    from rich.console import Console


def lines_of(action: ActionId, *, attempt: int | None, show_ts: bool) -> AsyncIterator[str]:
    """Return what an action writes, line by line, until it has ended."""
    if show_ts:
        _say_that_lines_have_no_times()
    return stream_lines(connection(), action, attempt=attempt, follow=True, must_answer=False)


async def show_logs_of(action: ActionId, *, attempt: int | None, max_lines: int, show_ts: bool, raw: bool) -> None:
    """Print what an action writes until it has ended; in a terminal the last `max_lines` in a box, unless `raw`.

    Raises ValueError for a box without lines.
    """
    if max_lines < 1:
        raise ValueError(f"max_lines must be at least 1, got {max_lines}")
    if raw or not sys.stdout.isatty():
        if show_ts:
            _say_that_lines_have_no_times()
        await print_lines(connection(), action, attempt=attempt, must_answer=False)
        return
    await draw_lines(lines_of(action, attempt=attempt, show_ts=show_ts), title=action.name, most=max_lines)


async def draw_lines(lines: AsyncIterator[str], *, title: str, most: int, console: Console | None = None) -> None:
    """Draw a box on the terminal in which lines scroll, at most `most` of them in sight, until there are no more."""
    from rich.live import Live
    from rich.panel import Panel
    from rich.text import Text

    last: deque[Text] = deque(maxlen=most)

    def box() -> Panel:
        return Panel(Text("\n").join(last), title=title, title_align="left")

    with Live(get_renderable=box, console=console):
        async for line in lines:
            last.append(Text.from_ansi(line, no_wrap=True, overflow="ellipsis"))


def _say_that_lines_have_no_times() -> None:
    warnings.warn(
        "show_ts adds nothing: the platform keeps what tasks write without the time of each line. Lines that a task "
        "writes with flyte.logger begin with their time.",
        stacklevel=2,
    )
