"""Structured logs: one JSON object a line, or lines for people when a terminal reads them.

The platform says everything in one style, so that a log can be searched, counted and alerted on:

- the event is a few words in snake_case, always the same ones: `run_not_taken_yet`, never a sentence with names in it;
- whatever differs from line to line is a fact beside it. A line about work has `run` (project/domain/name), `action`,
  `attempt` and `trace`; what went wrong is `problem`, in words for people; what they can do is `mend`;
- `info` tells the life of the platform, `warning` what it goes on in spite of, `error` what is lost or is a defect.

`get_logger` gives a logger that costs next to nothing until it writes: structlog takes 100 ms to import and is loaded
with the first line that is really written. Nothing that is said raises: a log that cannot be written stops no work.
The records of the standard library's `logging` (libraries, and `foundation` below this kit) come out in the same form.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TextIO

from flyteplane.foundation.errors import InvalidArgument

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

#: Facts that records of `logging` bring as `extra`.
_EXTRA: Final = ("task",)

_context: ContextVar[dict[str, Any]] = ContextVar("flyteplane_log_context")
_EMPTY: Final[dict[str, Any]] = {}
_call: ContextVar[Callable[[], dict[str, Any]] | None] = ContextVar("flyteplane_log_call", default=None)


class _Settings:
    """Where lines go; one for the process, because a stream has one reader. Until that is said, warnings and errors
    go to standard error."""

    def __init__(self) -> None:
        self.threshold = logging.WARNING
        self.stream: TextIO | None = None
        self.for_people: bool | None = None
        self.writer: Any = None

    def write(self, level: str, logger: str, event: str, facts: dict[str, Any]) -> None:
        call = _call.get()
        known = {**(call() if call is not None else _EMPTY), **_context.get(_EMPTY), **facts}
        try:
            if self.writer is None:
                self.writer = self._writer()
            getattr(self.writer, level)(event, logger=logger, **known)
        except (OSError, ValueError):
            # A full disk, or a stream that is closed already: there is no place left to say so.
            return

    def _writer(self) -> Any:
        from flyteplane.observe.rendering import make_writer

        stream = self.stream or sys.stderr
        return make_writer(stream, stream.isatty() if self.for_people is None else self.for_people)


_settings = _Settings()


class Logger:
    """Writes events with facts: `log.info("action_assigned", action="a0", attempt=1)`.

    Facts must not be secrets. `exc_info=error` adds the traceback of an error; True, of the one that is handled.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, **facts: Any) -> None:
        if _settings.threshold <= logging.DEBUG:
            _settings.write("debug", self._name, event, facts)

    def info(self, event: str, **facts: Any) -> None:
        if _settings.threshold <= logging.INFO:
            _settings.write("info", self._name, event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        if _settings.threshold <= logging.WARNING:
            _settings.write("warning", self._name, event, facts)

    def error(self, event: str, **facts: Any) -> None:
        _settings.write("error", self._name, event, facts)


def get_logger(name: str) -> Logger:
    """A logger; `name` is the dotted name of the part that writes, such as `scheduler.queues`."""
    return Logger(name)


@contextmanager
def bound(**facts: Any) -> Iterator[None]:
    """Add facts, such as run, action and attempt, to every line that this task, or one it starts, writes inside."""
    token = _context.set({**_context.get(_EMPTY), **facts})
    try:
        yield
    finally:
        _context.reset(token)


def set_call_facts(facts: Callable[[], dict[str, Any]]) -> None:
    """Add what `facts` gives to every line that this task, or one it starts, writes from now on. It is asked for each
    line, and only then: most calls write none."""
    _call.set(facts)


def configure_logs(*, level: str = "info", stream: TextIO | None = None, for_people: bool | None = None) -> None:
    """Set where lines go. May be called again; the last call counts.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        stream: standard error when None.
        for_people: coloured lines in place of JSON; None asks whether the stream is a terminal.

    Raises:
        InvalidArgument: the level is unknown.
    """
    if level not in LEVELS:
        raise InvalidArgument(f"unknown log level {level!r}", field="level", limit=", ".join(LEVELS))
    _settings.threshold = LEVELS[level]
    _settings.stream = stream
    _settings.for_people = for_people
    _settings.writer = None
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _FromStandardLibrary)]:
        root.removeHandler(handler)
    root.addHandler(_FromStandardLibrary())
    root.setLevel(_settings.threshold)


class _FromStandardLibrary(logging.Handler):
    """Writes the records of `logging` in the form of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            facts: dict[str, Any] = {name: vars(record)[name] for name in _EXTRA if name in vars(record)}
            if record.exc_info:
                facts["exc_info"] = record.exc_info
            _settings.write(_level_name(record.levelno), record.name, record.getMessage(), facts)
        except Exception:
            self.handleError(record)


def _level_name(number: int) -> str:
    return next((name for name, level in reversed(LEVELS.items()) if number >= level), "debug")
