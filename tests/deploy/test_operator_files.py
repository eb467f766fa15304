"""The operator's files of the overlays are right, and every path in them is one that the pods have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from tests.deploy.conftest import render
from tests.deploy.manifests import Manifests, Pod

from flyteplane.cluster.kubernetes.settings import KubernetesSettings
from flyteplane.launcher.operator_file import OperatorFile

MOUNTED = "/run/flyteplane/"


def written(manifests: Manifests) -> str:
    """The operator's file of an overlay."""
    return str(manifests.named("ConfigMap", "flyteplane-config")["data"]["flyteplane.yaml"])


def paths_in(text: str) -> set[str]:
    """Every path of a mounted file that the text names."""
    return set(re.findall(rf"{MOUNTED}[\w./-]+", text))


@pytest.mark.parametrize("overlay_name", ["dev", "production", "test"])
def test_the_file_is_right_once_its_files_are_there(overlay_name: str, tmp_path: Path) -> None:
    text = written(render(overlay_name))
    for path in sorted(paths_in(text), reverse=True):
        here = tmp_path / path.removeprefix(MOUNTED)
        if here.exists():
            continue
        here.parent.mkdir(parents=True, exist_ok=True)
        here.write_text("x" * 64)
    file = tmp_path / "flyteplane.yaml"
    file.write_text(text.replace(MOUNTED, f"{tmp_path}/"))
    read = OperatorFile.read(file)
    (cluster,) = read.clusters
    assert isinstance(cluster, KubernetesSettings)
    assert cluster.name == "kubernetes"
    # Pods outlast processes that are killed together, of which none leads before the leases have ended.
    assert cluster.contact_s >= 3 * read.services.lease_s
    places = yaml.safe_load(text)["clusters"][0]
    # The right to place pods holds in this one namespace.
    assert places["namespace"] == "flyteplane-workers"
    assert not places.get("create_namespaces", False)


def test_workers_find_the_services_under_the_names_that_they_have(overlay: Manifests) -> None:
    cluster = yaml.safe_load(written(overlay))["clusters"][0]
    for endpoint in (*cluster["worker_endpoints"], *cluster.get("replica_endpoints", ())):
        host, _, port = endpoint.partition(":")
        name, namespace, *rest = host.split(".")
        assert rest == ["svc", "cluster", "local"]
        service = overlay.named("Service", name)
        assert service["metadata"]["namespace"] == namespace
        assert int(port) in {each["port"] for each in service["spec"]["ports"]}


def test_production_is_told_nothing_that_its_own_parts_do_not_have(production: Manifests) -> None:
    text = written(production)
    given = {"etcd-ca.crt", "etcd.crt", "etcd.key", "database-ca.crt"}
    everything = set().union(*(mounted_files(pod) for pod in production.pods()))
    assert {path for path in paths_in(text) if path.rpartition("/")[2] not in given} - everything == {
        f"{MOUNTED}objects/access-key",
        f"{MOUNTED}objects/secret-key",
        f"{MOUNTED}bootstrap/api-key",
        f"{MOUNTED}private",
        f"{MOUNTED}private/pgpass",
    }


def mounted_files(pod: Pod) -> set[str]:
    """The files of projected volumes, where the pod's containers have them."""
    found = set()
    mounts = {mount["name"]: mount["mountPath"] for one in pod.containers for mount in one["volumeMounts"]}
    for volume in pod.spec["volumes"]:
        for source in volume.get("projected", {}).get("sources", ()):
            found |= {f"{mounts[volume['name']]}/{item['path']}" for item in source["secret"].get("items", ())}
    return found
