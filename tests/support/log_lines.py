"""What the platform says while a test runs, and logging as it was before once that is over."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog  # noqa: F401  # loaded with the first line otherwise, in the middle of a test that may measure time

from flyteplane.observe import configure_logs


class LogLines:
    """Everything that was said so far."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        """The lines as they are written."""
        return self.stream.getvalue()

    def all(self, event: str = "") -> list[dict[str, Any]]:
        """The facts of each line; only of this event, if it is given."""
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if not event or line["event"] == event]


@contextmanager
def logged(*, level: str = "info", for_people: bool = False) -> Iterator[LogLines]:
    """Take what is said from this level on."""
    root = logging.getLogger()
    handlers, before = list(root.handlers), root.level
    lines = LogLines()
    configure_logs(level=level, stream=lines.stream, for_people=for_people)
    try:
        yield lines
    finally:
        configure_logs()
        root.handlers[:], root.level = handlers, before


@pytest.fixture
def log_lines() -> Iterator[LogLines]:
    """What is said from `info` on."""
    with logged() as lines:
        yield lines
