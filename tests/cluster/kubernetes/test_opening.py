"""Settings and kubeconfigs that cannot work, and what is said about them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.kubernetes.conftest import OpenCluster
from tests.support.fake_kubernetes import FakeKubernetes, until

from flyteplane.cluster.kubernetes.settings import KubernetesSettings
from flyteplane.foundation.errors import InvalidArgument, PermissionDenied, Unavailable

_WITHOUT_CLIENT = """
import asyncio, sys
sys.modules[sys.argv[1]] = None
from flyteplane.cluster.kubernetes.adapter import KubernetesCluster
from flyteplane.cluster.kubernetes.settings import KubernetesSettings
from flyteplane.foundation.errors import FailedPrecondition

async def main():
    settings = KubernetesSettings(name="prod", default_image="i", worker_endpoints=("a:1",), kubeconfig=__file__)
    try:
        await KubernetesCluster(settings).open(must_answer=False)
    except FailedPrecondition as error:
        print(error)

asyncio.run(main())
"""


@pytest.mark.parametrize("package", ["kubernetes", "aiohttp"])
def test_without_the_client_the_command_that_installs_it_is_named(package: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(_WITHOUT_CLIENT)
    done = subprocess.run(
        [sys.executable, str(program), package], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pip install 'flyteplane[kubernetes]'" in done.stdout


async def test_a_missing_kubeconfig_is_named(open_cluster: OpenCluster) -> None:
    with pytest.raises(InvalidArgument, match="there is no kubeconfig /nowhere/config") as refused:
        await open_cluster(kubeconfig="/nowhere/config")
    assert refused.value.reason == "KUBECONFIG_MISSING"


@pytest.mark.parametrize("content", ["", "{", "apiVersion: v1\nkind: Config\n", "just text", "clusters: 7"])
async def test_a_broken_kubeconfig_is_named(open_cluster: OpenCluster, tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken"
    path.write_text(content)
    with pytest.raises(InvalidArgument, match=str(path)) as refused:
        await open_cluster(kubeconfig=str(path))
    assert refused.value.reason == "KUBECONFIG_INVALID"


async def test_a_context_that_is_not_there_is_named(open_cluster: OpenCluster) -> None:
    with pytest.raises(InvalidArgument, match="nope"):
        await open_cluster(context="nope")


async def test_outside_of_a_cluster_there_is_no_service_account(open_cluster: OpenCluster) -> None:
    with pytest.raises(InvalidArgument, match="the pod's service account"):
        await open_cluster(kubeconfig="")


async def test_a_kubeconfig_that_points_nowhere_names_file_and_server(
    open_cluster: OpenCluster, server: FakeKubernetes
) -> None:
    await server.down()
    with pytest.raises(Unavailable) as refused:
        await open_cluster()
    assert f"http://127.0.0.1:{server.port}" in str(refused.value)
    assert "kubeconfig-good" in str(refused.value)


async def test_expired_credentials_are_named(open_cluster: OpenCluster, server: FakeKubernetes) -> None:
    server.token = "another"
    with pytest.raises(PermissionDenied, match="expired") as refused:
        await open_cluster()
    assert "kubeconfig-good" in str(refused.value)


async def test_missing_rights_are_named(open_cluster: OpenCluster, server: FakeKubernetes) -> None:
    server.fault("GET", "/pods", status=403, message='User "u" cannot list resource "pods"')
    with pytest.raises(PermissionDenied, match="cannot list resource"):
        await open_cluster()


async def test_a_server_that_is_away_can_be_waited_for(open_cluster: OpenCluster, server: FakeKubernetes) -> None:
    await server.down()
    cluster = await open_cluster(must_answer=False)
    assert not cluster.health().reachable
    await server.up()
    await until(lambda: cluster.health().reachable)
    assert await cluster.others([]) == []


async def test_credentials_that_are_refused_are_not_waited_for(
    open_cluster: OpenCluster, server: FakeKubernetes
) -> None:
    server.token = "another"
    with pytest.raises(PermissionDenied):
        await open_cluster(must_answer=False)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"name": ""}, "name"),
        ({"installation": "-"}, "installation"),
        ({"installation": ""}, "installation"),
        ({"worker_endpoints": ()}, "worker_endpoints"),
        ({"requests_per_second": 0}, "requests_per_second"),
        ({"contact_s": -1.0}, "contact_s"),
        ({"namespace": ""}, "namespace"),
        ({"namespace": "{team}"}, "namespace"),
        ({"namespace": "Upper"}, "namespace"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], field: str) -> None:
    good: dict[str, Any] = {"name": "k", "default_image": "x", "worker_endpoints": ("h:1",)}
    with pytest.raises(InvalidArgument) as refused:
        KubernetesSettings(**{**good, **settings})
    assert refused.value.field == field


def test_the_client_is_not_loaded_before_a_cluster_is_opened() -> None:
    program = (
        "import sys, flyteplane.cluster, flyteplane.cluster.kubernetes.adapter\n"
        "sys.exit(bool({'kubernetes', 'aiohttp'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
