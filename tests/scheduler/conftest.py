"""Fixtures of the scheduler's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.scheduler.harness import Bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A scheduler that has just started."""
    bench = Bench(tmp_path)
    await bench.start()
    yield bench
    await bench.scheduler.close()
    assert not bench.failures
