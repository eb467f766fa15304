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
        processors.append(structlog.dev.ConsoleRenderer())
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    return structlog.wrap_logger(
        structlog.WriteLogger(stream), processors=processors, wrapper_class=structlog.BoundLogger
    )
