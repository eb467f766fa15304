"""What every test may rely on: the root of the repository, and hypothesis profiles that suit a busy machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.support.postgres import postgres_server, postgres_url
from tests.support.s3 import s3_server

__all__ = ["postgres_server", "postgres_url", "s3_server"]

# Several workers share few cores, so how long one example takes says nothing about the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", parent=settings.get_profile("suite"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much is simulated, see docs/testing.md."""
    parser.addoption("--seeds", type=int, default=510, help="seeds of the simulated fleet of schedulers and pods")
    parser.addoption("--seed", type=int, default=None, help="exactly this seed of it, with its trace (add -s)")
