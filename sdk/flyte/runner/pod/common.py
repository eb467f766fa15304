"""What both the agent and its worker need, and what may be loaded before a fork: loaded once, before it."""

from __future__ import annotations

# Every import is for its effect.
import asyncio  # noqa: F401
import json  # noqa: F401
import logging  # noqa: F401
import pathlib  # noqa: F401
import typing  # noqa: F401

import flyte.runner.forking
import flyte.runner.plain_messages
import flyte.runner.relayed_objects
import flyte.spec.version
import flyte.spec.worker_endings  # noqa: F401
