"""Lines of the SDK's loggers as JSON, one object a line, for machines that read logs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime


class JsonFormatter(logging.Formatter):
    """Fields: time (UTC), level, logger, message; run, action and attempt inside a task; error with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        from flyte.authoring.context import ctx

        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if context := ctx():
            fields |= {"run": context.action.run_name or "", "action": context.action.name}
            fields["attempt"] = str(context.attempt_number)
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)
