"""Servers for the tests of the etcd adapter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.etcd import EtcdServer, require_etcd


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EtcdServer]:
    """An etcd of the test's own, which it may kill."""
    require_etcd()
    with EtcdServer(tmp_path / "etcd") as server:
        yield server
