"""Every pod of every overlay is locked down, limited, probed, and starts from an image of a known version."""

from __future__ import annotations

import re

from tests.deploy.manifests import Manifests

PLACES_PODS = {"scheduler", "reuse-pool", "flyteplane"}


def test_every_container_is_locked_down(overlay: Manifests) -> None:
    pods = list(overlay.pods())
    assert pods
    for pod in pods:
        security = pod.spec["securityContext"]
        assert security["runAsNonRoot"] is True, pod.name
        assert security["runAsUser"] > 10_000, pod.name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, pod.name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec), pod.name
        assert not [volume for volume in pod.spec["volumes"] if "hostPath" in volume], pod.name
        for container in pod.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, (pod.name, container["name"])


def test_every_container_asks_for_what_it_needs_and_is_limited(overlay: Manifests) -> None:
    for pod in overlay.pods():
        for container in pod.containers:
            for bound in ("requests", "limits"):
                assert set(container["resources"][bound]) == {"cpu", "memory"}, (pod.name, container["name"])


def test_every_server_is_probed_and_every_process_of_the_platform_by_its_own_word(overlay: Manifests) -> None:
    for pod in overlay.pods():
        if pod.kind == "Job":
            continue
        (container,) = pod.spec["containers"]
        assert {"livenessProbe", "readinessProbe"} <= set(container), pod.name
        if pod.labels["app.kubernetes.io/part-of"] == "flyteplane":
            assert container["livenessProbe"]["httpGet"] == {"path": "/live", "port": "metrics"}
            assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "metrics"}
            assert container["startupProbe"]["httpGet"] == {"path": "/live", "port": "metrics"}


def test_every_image_has_a_version(overlay: Manifests) -> None:
    for pod in overlay.pods():
        for container in pod.containers:
            image = container["image"]
            assert re.search(r"(@sha256:[0-9a-f]{64}|:(?!latest$)[\w.-]+)$", image), (pod.name, image)


def test_what_is_written_is_on_volumes_with_a_bound(overlay: Manifests) -> None:
    for pod in overlay.pods():
        bounded = {volume["name"]: volume["emptyDir"] for volume in pod.spec["volumes"] if "emptyDir" in volume}
        assert all(volume.get("sizeLimit") for volume in bounded.values()), pod.name
        declared = {volume["name"] for volume in pod.spec["volumes"]}
        for container in pod.containers:
            for mount in container["volumeMounts"]:
                assert mount["name"] in declared, (pod.name, mount)


def test_only_those_that_place_pods_get_a_token_of_kubernetes(overlay: Manifests) -> None:
    for pod in overlay.pods():
        assert pod.spec["automountServiceAccountToken"] is (pod.name in PLACES_PODS), pod.name
    accounts = overlay.of("ServiceAccount")
    assert accounts
    assert all(account["automountServiceAccountToken"] is False for account in accounts)


def test_pods_know_each_other_by_name_service_and_disruption_budget(overlay: Manifests) -> None:
    for kind in ("Service", "PodDisruptionBudget"):
        for one in overlay.of(kind):
            namespace, name = one["metadata"]["namespace"], one["metadata"]["name"]
            found = overlay.selected(one["spec"]["selector"], namespace=namespace)
            assert [pod.name for pod in found] == [name], (kind, name)
    for service in overlay.of("Service"):
        (pod,) = overlay.selected(service["spec"]["selector"], namespace=service["metadata"]["namespace"])
        ports = {port["name"] for port in pod.spec["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for deployment in overlay.of("Deployment"):
        assert overlay.selected(deployment["spec"]["selector"], namespace=deployment["metadata"]["namespace"])


def test_accounts_of_pods_exist(overlay: Manifests) -> None:
    accounts = {account["metadata"]["name"] for account in overlay.of("ServiceAccount")}
    used = {pod.spec.get("serviceAccountName") for pod in overlay.pods()}
    assert used - {None} == accounts


def test_production_has_two_of_everything_on_different_nodes(production: Manifests) -> None:
    names = {"admin", "scheduler", "reuse-pool", "cache", "secrets"}
    deployments = {one["metadata"]["name"]: one["spec"] for one in production.of("Deployment")}
    assert set(deployments) == names
    budgets = {one["metadata"]["name"]: one for one in production.of("PodDisruptionBudget")}
    assert set(budgets) == names
    for name, spec in deployments.items():
        assert spec["replicas"] == 2
        assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert budgets[name]["apiVersion"] == "policy/v1"
        assert budgets[name]["spec"]["minAvailable"] == 1
        spread = {each["topologyKey"]: each for each in spec["template"]["spec"]["topologySpreadConstraints"]}
        assert set(spread) == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        labels = spec["template"]["metadata"]["labels"]
        assert all(each["labelSelector"]["matchLabels"].items() <= labels.items() for each in spread.values())
