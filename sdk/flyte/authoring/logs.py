"""The two loggers of the SDK: one for the user's own lines, one for what the SDK says.

A program that sets up logging gets the lines the way it wants them: they go up to the root logger as any others. Where
nobody has set it up they go to standard error, so that `flyte.logger.info(...)` of a task is in the task's log.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flyte.spec.problems import InvalidSetting

logger: Final = logging.getLogger("flyte.user")
"""For lines of tasks: `flyte.logger.info(...)`."""

system_logger: Final = logging.getLogger("flyte")
"""What the SDK itself says."""

LOG_FORMATS: Final = ("console", "json")
LOG_VARIABLES: Final = ("LOG_LEVEL", "USER_LOG_LEVEL", "LOG_FORMAT")
"""Variables of a task's environment that set up its loggers: two levels, as numbers or names, and a format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """How the loggers write. What is None stays as it is.

    Raises InvalidSetting (a ValueError) for a format that there is not.
    """

    level: int | None = None
    """Of what the SDK says."""
    user_level: int | None = None
    """Of `flyte.logger`."""
    format: str | None = None
    """"console" or "json"."""
    reset_root_logger: bool = False
    """The root logger, and so every logger of the process, writes this way and no other."""

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in LOG_FORMATS:
            raise InvalidSetting(f"log_format must be 'console' or 'json', got {self.format!r}", field="log_format")

    def apply(self) -> None:
        """Set the loggers of this process up."""
        if self.level is not None:
            system_logger.setLevel(self.level)
        if self.user_level is not None:
            logger.setLevel(self.user_level)
        if self.format is not None:
            _handler.setFormatter(_formatter(self.format))
        if self.reset_root_logger:
            logging.basicConfig(handlers=[_Lines(formatter=_handler.formatter)], level=logging.INFO, force=True)

    def variables(self) -> dict[str, str]:
        """Return the variables with which a worker sets its loggers up in the same way."""
        values = zip(LOG_VARIABLES, (self.level, self.user_level, self.format), strict=True)
        return {name: str(value) for name, value in values if value is not None}


def given_format(log_format: str) -> str | None:
    """Return the format that a call asks for: its default says nothing, so that an earlier call's choice stays."""
    return None if log_format == "console" else log_format


def apply_variables(variables: Mapping[str, str]) -> None:
    """Set the loggers up as an attempt's variables say, and as they are by default where these say nothing.

    A user's own variable of such a name that is no level or format is none of ours.
    """
    level, user_level, form = (variables.get(name, "") for name in LOG_VARIABLES)
    LogSettings(
        level=_level(level, otherwise=logging.WARNING),
        user_level=_level(user_level, otherwise=logging.INFO),
        format=form if form in LOG_FORMATS else "console",
    ).apply()


def _level(text: str, *, otherwise: int) -> int:
    return int(text) if text.isdecimal() else logging.getLevelNamesMapping().get(text.upper(), otherwise)


class _Lines(logging.Handler):
    """Writes to what is standard error at that moment: an attempt on a replica has one of its own."""

    def __init__(self, *, formatter: logging.Formatter | None) -> None:
        super().__init__()
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except Exception:
            self.handleError(record)


class _UnlessSetUp(_Lines):
    """Writes only while the program has not set up logging of its own, which gets the same lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or leave it to the root logger's handlers."""
        if not logging.root.handlers:
            super().emit(record)


def _formatter(form: str) -> logging.Formatter:
    if form == "json":
        from flyte.authoring.json_logs import JsonFormatter

        return JsonFormatter()
    return logging.Formatter("%(asctime)s %(levelname)s %(message)s")


_handler: Final = _UnlessSetUp(formatter=_formatter("console"))
system_logger.addHandler(_handler)
if logger.level == logging.NOTSET:
    logger.setLevel(logging.INFO)
if system_logger.level == logging.NOTSET:
    system_logger.setLevel(logging.WARNING)
