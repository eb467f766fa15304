"""Metrics over HTTP: read on the loop that counts them, and gone with the platform."""

from __future__ import annotations

import asyncio
import threading
import urllib.request
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from flyteplane.foundation.errors import InvalidArgument, Unavailable
from flyteplane.launcher.metrics_listener import serve_metrics
from flyteplane.launcher.platform import Platform
from flyteplane.launcher.settings import PlatformSettings
from flyteplane.observe import Metrics, Reading


async def scraped(address: str) -> str:
    """What Prometheus is told."""

    def read() -> str:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    return await asyncio.to_thread(read)


async def test_figures_are_read_on_the_loop_that_counts_them() -> None:
    metrics, threads = Metrics(), []

    def read() -> list[Reading]:
        threads.append(threading.current_thread())
        return [Reading("answers", "Answers.", 42)]

    metrics.read_from(read)
    async with AsyncExitStack() as stack:
        address = await serve_metrics(metrics, "127.0.0.1:0", stack=stack)
        assert "flyteplane_answers 42.0" in await scraped(address)
        assert set(threads) == {threading.current_thread()}
    with pytest.raises(OSError, match="refused"):
        await scraped(address)


async def test_a_port_that_is_taken_is_told() -> None:
    async with AsyncExitStack() as stack:
        address = await serve_metrics(Metrics(), "127.0.0.1:0", stack=stack)
        with pytest.raises(Unavailable, match=address):
            await serve_metrics(Metrics(), address, stack=stack)


async def test_the_platform_tells_the_figures_of_its_pools(tmp_path: Path) -> None:
    platform = await Platform.open(PlatformSettings(data=tmp_path / "platform", metrics_listen="127.0.0.1:0"))
    try:
        text = await scraped(platform.metrics_address)
    finally:
        await platform.close()
    assert "flyteplane_reuse_pools 0.0" in text
    assert "flyteplane_reuse_overflow_started_total 0.0" in text


def test_what_is_no_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument) as refused:
        PlatformSettings(data=tmp_path, metrics_listen="9464")
    assert refused.value.field == "metrics_listen"
