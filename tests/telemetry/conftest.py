"""One platform that exports traces and metrics, and the collector that it exports to."""

from __future__ import annotations

import socket
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.certificates import Authority
from tests.support.collector import Collector
from tests.support.deployment import tls_section
from tests.support.platform import PlatformUnderTest

import flyte
from flyte.client.init import set_settings

PROGRAMS = Path(__file__).parent / "programs"
sys.path.insert(0, str(PROGRAMS))


@dataclass(frozen=True, slots=True)
class Watched:
    """A platform with all that watches it."""

    platform: PlatformUnderTest
    collector: Collector
    metrics: str

    def scraped(self) -> str:
        """What Prometheus is told."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=10) as answer:
            return str(answer.read().decode())


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Started once for all tests of the folder."""
    folder = tmp_path_factory.mktemp("watched")
    collector = Collector()
    collector.start()
    config = folder / "flyteplane.yaml"
    certificates = tls_section(Authority(folder / "authority"))
    config.write_text(f"telemetry:\n  otlp_endpoint: {collector.endpoint}\n{certificates}")
    metrics = f"127.0.0.1:{_free_port()}"
    own = PlatformUnderTest(folder / "platform", options=["--config", str(config), "--metrics-listen", metrics])
    try:
        own.start()
        yield Watched(own, collector, metrics)
    finally:
        own.destroy()
        collector.stop()


@pytest.fixture
def client(watched: Watched) -> Iterator[Watched]:
    """With this process as a client."""
    flyte.init(endpoint=watched.platform.endpoint, root_dir=PROGRAMS)
    yield watched
    set_settings(None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
