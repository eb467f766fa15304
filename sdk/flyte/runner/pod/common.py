"""What the agent of a replica and its worker both need, and what may be loaded before a fork: loaded once, before it.

That of a single attempt forks before: its worker has no time to lose, and most of this the agent needs only later.
"""

from __future__ import annotations

# Every import is for its effect.
import asyncio  # noqa: F401
import json  # noqa: F401
import logging  # noqa: F401
import pathlib  # noqa: F401
import typing  # noqa: F401

import flyteapi.scheduler.v1.worker_service_pb2  # noqa: F401 - loaded, not used
