"""What every test may rely on: the root of the repository, and hypothesis profiles that suit a busy machine."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.support.log_lines import log_lines
from tests.support.postgres import postgres_server, postgres_url
from tests.support.s3 import s3_server

__all__ = ["log_lines", "postgres_server", "postgres_url", "s3_server"]

# Several workers share few cores, so how long one example takes says nothing about the code. A change is judged by the
# same examples each time; new ones are looked for with HYPOTHESIS_PROFILE=thorough.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", parent=settings.get_profile("suite"), derandomize=False, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much is simulated, see docs/testing.md."""
    parser.addoption("--seeds", type=int, default=300, help="seeds of the simulated fleet of schedulers and pods")
    parser.addoption("--seed", type=int, default=None, help="exactly this seed of it, with its trace (add -s)")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect quickly: keep what is compiled, which is half of the time, and look for no garbage, which is a quarter.

    Byte code is kept also where PYTHONDONTWRITEBYTECODE is set, but only here: what a test writes and loads may change
    within the second by which byte code is judged. What is collected stays, so the collector need not look at it again.
    """
    kept = sys.dont_write_bytecode
    sys.dont_write_bytecode = False
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        sys.dont_write_bytecode = kept


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole platforms come first: their modules take longest, and short ones even out the end."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/system/"))
