"""The durable clock where nothing records: the plain clock and sleep."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

import flyte.durable


async def test_outside_of_a_task_it_is_the_clock() -> None:
    assert abs(flyte.durable.time() - time.time()) < 5
    assert abs(await flyte.durable.time.aio() - time.time()) < 5
    assert abs(flyte.durable.now() - datetime.now()) < timedelta(seconds=5)
    assert (await flyte.durable.now.aio()).tzinfo is None


async def test_a_sleep_takes_its_time_and_is_not_negative() -> None:
    began = time.monotonic()
    await flyte.durable.sleep.aio(0.05)
    assert time.monotonic() - began >= 0.045
    with pytest.raises(ValueError, match="negative"):
        await flyte.durable.sleep.aio(-1)
