"""Platforms whose workers are pods, each under a name of its own in the cluster that KUBECONFIG names."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.board import Board
from tests.support.etcd import free_ports
from tests.support.kubernetes import KubernetesUnderTest, kubernetes_under_test, operator_file
from tests.support.platform import PlatformUnderTest

import flyte
from flyte.client.init import set_settings

PROGRAMS: Final = Path(__file__).parent / "programs"
# As on a worker, where their folder is the root of the bundle.
sys.path.insert(0, str(PROGRAMS))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Every test of this folder starts pods."""
    item.add_marker(pytest.mark.kubernetes)


def connect(endpoint: str) -> None:
    """Makes this process a client of a platform."""
    flyte.init(endpoint=endpoint, root_dir=PROGRAMS)


@contextmanager
def platform_in(
    folder: Path,
    cluster: KubernetesUnderTest,
    *,
    file: Mapping[str, Any] | None = None,
    worker_port: int = 0,
    **section: Any,
) -> Iterator[PlatformUnderTest]:
    """An embedded platform that places its workers on the cluster, with this process as its client.

    Args:
        folder: for the platform's data.
        cluster: where workers are placed.
        file: further sections of the operator's file; further clusters come behind the cluster.
        worker_port: where it listens for workers; 0: anywhere.
        section: changes of the cluster's section.
    """
    port = worker_port or free_ports(1)[0]
    given = dict(file or {})
    clusters = [cluster.section(worker_port=port, **section), *given.pop("clusters", ())]
    config = operator_file(folder, {"clusters": clusters, **given})
    options = ["--config", str(config), "--worker-listen", f"0.0.0.0:{port}"]
    platform = PlatformUnderTest(folder / "platform", options=options)
    try:
        platform.start()
        connect(platform.endpoint)
        yield platform
    finally:
        set_settings(None)
        platform.destroy()


@pytest.fixture(scope="module")
def cluster() -> Iterator[KubernetesUnderTest]:
    """The cluster, under a name of this module's own; what is made there is removed behind the module."""
    with kubernetes_under_test() as cluster:
        yield cluster


@pytest.fixture
def board(cluster: KubernetesUnderTest) -> Iterator[Board]:
    """Where pods say that they run."""
    with Board(cluster.host) as board:
        yield board
