"""A Kubernetes API server of the tests' own, and clusters on it whose times are short."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import pytest_asyncio
from tests.support.fake_kubernetes import FakeKubernetes

from flyteplane.cluster.kubernetes.adapter import KubernetesCluster
from flyteplane.cluster.kubernetes.settings import KubernetesSettings

OpenCluster: TypeAlias = Callable[..., Awaitable[KubernetesCluster]]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[FakeKubernetes]:
    """An API server."""
    async with FakeKubernetes() as server:
        yield server


@pytest_asyncio.fixture
async def open_cluster(server: FakeKubernetes, tmp_path: Path) -> AsyncIterator[OpenCluster]:
    """Opens clusters on the server; settings by keyword."""
    opened: list[KubernetesCluster] = []

    async def open_one(*, must_answer: bool = True, **settings: Any) -> KubernetesCluster:
        short = {"kill_margin_s": 0.2, "contact_s": 0.1, "request_timeout_s": 10.0, "probe_s": 0.2}
        base = {
            "name": "fake",
            "kubeconfig": server.kubeconfig(tmp_path),
            "default_image": "python:3.11-slim",
            "worker_endpoints": ("127.0.0.1:1",),
        }
        cluster = KubernetesCluster(KubernetesSettings(**{**base, **short, **settings}), random=Random(7))
        opened.append(cluster)
        await cluster.open(must_answer=must_answer)
        return cluster

    yield open_one
    for cluster in opened:
        await cluster.close()


@pytest_asyncio.fixture
async def cluster(open_cluster: OpenCluster) -> KubernetesCluster:
    """A cluster on the server."""
    return await open_cluster()
