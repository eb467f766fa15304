"""What a template has imported before it forks: everything that user modules ask of the SDK, and what workers need.

Neither gRPC nor numpy nor pydantic is among it: the first does not survive a fork, and the others cost memory in every
template although few tasks use them.
"""

from __future__ import annotations

# Every import is for its effect: the module is loaded once, and shared by all forks.
import dataclasses  # noqa: F401
import enum  # noqa: F401
import json  # noqa: F401
import logging  # noqa: F401
import tempfile  # noqa: F401
import traceback  # noqa: F401
import typing  # noqa: F401
import uuid  # noqa: F401
from importlib import import_module
from typing import Final

import cloudpickle  # noqa: F401

import flyte
from flyte.runner.later import load_all

_OWN: Final = ("flyte.io", "flyte.report")
_NOT_IN_WORKERS: Final = "flyte.client"


def preload() -> None:
    """Loads what the public names of `flyte` stand for."""
    for module in sorted(set(flyte._MODULE_OF.values())):
        if not module.startswith(_NOT_IN_WORKERS):
            import_module(module)
    for module in _OWN:
        import_module(module)
    load_all()
