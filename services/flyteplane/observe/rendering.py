"""How a log line looks. Imports structlog, so `logs` imports this only when the first line is written."""

from typing import Any, TextIO

import structlog


def make_writer(stream: TextIO, for_people: bool) -> Any:
    """A structlog logger that writes to `stream`."""
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if for_people:
        # The default renderer prints local variables with a traceback, and those may hold a secret.
        processors.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    return structlog.wrap_logger(
        structlog.WriteLogger(stream), processors=processors, wrapper_class=structlog.BoundLogger
    )
