"""Draws the tree of a run on a terminal, while it runs and once at its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from flyte.cli.output import console
from flyte.spec.phases import ActionPhase
from flyte.spec.visible import visible_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from flyte.cli.following import Progress
    from flyte.cli.tree import Line

REFRESHES_PER_SECOND = 8
_MARKS: dict[ActionPhase, tuple[str, str, str]] = {
    ActionPhase.SUCCEEDED: ("✓", "green", "succeeded"),
    ActionPhase.RUNNING: ("●", "cyan", "running"),
    ActionPhase.INITIALIZING: ("◐", "blue", "starting"),
    ActionPhase.WAITING_FOR_RESOURCES: ("◔", "yellow", "waiting"),
    ActionPhase.QUEUED: ("○", "bright_black", "queued"),
    ActionPhase.FAILED: ("✗", "red", "failed"),
    ActionPhase.TIMED_OUT: ("⧖", "red", "timed out"),
    ActionPhase.ABORTED: ("⊘", "magenta", "aborted"),
}
_MOST_LINES = 30


class Drawing:
    """A live picture of a run's progress."""

    def __init__(self, title: str, progress: Progress, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._title = title
        self._progress = progress
        self._clock = clock
        self._began = clock()
        self._spinner = Spinner("dots")

    def live(self) -> Live:
        """Return a context manager that draws until it is left."""
        return Live(
            get_renderable=self.render,
            console=console(),
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=False,
        )

    def render(self) -> RenderableType:
        """Return the picture as it is now."""
        lines = list(self._progress.tree.lines())
        shown = [_text(depth, line) for depth, line in lines[:_MOST_LINES]]
        if len(lines) > _MOST_LINES:
            shown.append(Text(f"  … and {len(lines) - _MOST_LINES} more", style="dim"))
        if self._progress.trouble:
            shown.append(Text(f"{self._progress.trouble} Waiting for it.", style="yellow"))
        return Group(self._head(), *shown)

    def _head(self) -> Text:
        seconds = self._clock() - self._began
        return Text.assemble((self._title, "bold"), (f"  {seconds:.1f} s", "dim"))


def _text(depth: int, line: Line) -> Text:
    text = Text("  " * depth + "  ")
    phases = [(phase, line.counts[phase]) for phase in _MARKS if line.counts[phase] > 0]
    if line.total == 1:
        mark, style, word = _MARKS.get(phases[0][0], ("?", "", "")) if phases else ("?", "", "")
        text.append(f"{mark} ", style)
        text.append(f"{visible_text(line.label)}  ")
        text.append(word, style)
    else:
        text.append(f"{visible_text(line.label)} ×{line.total:,}  ")
        for phase, count in phases:
            mark, style, word = _MARKS[phase]
            text.append(f"{mark} {count:,} {word}  ", style)
    for amount, word in ((line.cached, "from cache"), (line.retried, "tried again")):
        if amount:
            text.append(f"  {amount:,} {word}", "dim")
    if line.note:
        text.append(f"  {visible_text(line.note)}", "dim")
    text.truncate(max(console().width, 20), overflow="ellipsis")
    return text
