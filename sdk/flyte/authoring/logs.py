"""The two loggers of the SDK: one for the user's own lines, one for what the SDK says.

Neither configures the root logger; a program that does not set up logging sees warnings only, as is usual.
"""

from __future__ import annotations

import logging
from typing import Final

logger: Final = logging.getLogger("flyte.user")
"""For lines of tasks: `flyte.logger.info(...)`."""

system_logger: Final = logging.getLogger("flyte")
"""What the SDK itself says."""

if logger.level == logging.NOTSET:
    logger.setLevel(logging.INFO)
if system_logger.level == logging.NOTSET:
    system_logger.setLevel(logging.WARNING)
