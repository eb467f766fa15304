"""Nobody may do, reach or read more than the platform needs."""

from __future__ import annotations

import json

from tests.deploy.manifests import Manifests, matches

#: All that the platform does in Kubernetes; a right beyond this needs a reason, here.
NEEDED = {
    ("", "pods"): {"get", "list", "watch", "create", "delete"},
    ("", "pods/log"): {"get"},
    ("", "podtemplates"): {"get"},
    ("", "events"): {"list", "watch"},
}
WORKERS = "flyteplane-workers"
SECRET_WORDS = ("BEGIN", "PRIVATE", "password:", "secret_key:", "access_key:", "token:")


def test_rights_are_those_that_are_needed_and_hold_among_workers_only(overlay: Manifests) -> None:
    assert not overlay.of("ClusterRole")
    assert not overlay.of("ClusterRoleBinding")
    (role,) = overlay.of("Role")
    assert role["metadata"]["namespace"] == WORKERS
    given = {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert given == NEEDED


def test_only_scheduler_and_reuse_pool_may_touch_pods(production: Manifests) -> None:
    subjects = set()
    for binding in production.of("RoleBinding"):
        assert binding["roleRef"]["name"] == production.of("Role")[0]["metadata"]["name"]
        assert binding["metadata"]["namespace"] == WORKERS
        subjects |= {(subject["namespace"], subject["name"]) for subject in binding["subjects"]}
    assert subjects == {("flyteplane", "scheduler"), ("flyteplane", "reuse-pool")}


def test_networks_are_closed_in_every_namespace_and_open_for_every_pod(overlay: Manifests) -> None:
    policies = overlay.of("NetworkPolicy")
    for namespace in (one["metadata"]["name"] for one in overlay.of("Namespace")):
        everywhere = [
            policy["spec"]
            for policy in policies
            if policy["metadata"]["namespace"] == namespace and policy["metadata"]["name"] == "default-deny"
        ]
        assert everywhere == [{"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}], namespace
    for pod in overlay.pods():
        own = [
            policy
            for policy in policies
            if policy["metadata"]["namespace"] == pod.namespace
            and policy["spec"]["podSelector"]
            and matches(policy["spec"]["podSelector"], pod.labels)
        ]
        assert own, f"nothing says what {pod.name} may reach"


def test_every_port_that_is_listened_on_is_opened_and_no_other(overlay: Manifests) -> None:
    for pod in overlay.pods():
        listened = {port["containerPort"] for one in pod.spec["containers"] for port in one.get("ports", ())}
        opened = {
            port["port"]
            for policy in overlay.of("NetworkPolicy")
            if policy["metadata"]["namespace"] == pod.namespace
            and policy["spec"]["podSelector"]
            and matches(policy["spec"]["podSelector"], pod.labels)
            for rule in policy["spec"].get("ingress", ())
            for port in rule["ports"]
        }
        if pod.labels["app.kubernetes.io/part-of"] == "flyteplane":
            assert listened == opened, pod.name


def test_clients_come_from_anywhere_and_nobody_else_does(production: Manifests) -> None:
    open_to_all = {
        (policy["metadata"]["name"], port["port"])
        for policy in production.of("NetworkPolicy")
        for rule in policy["spec"].get("ingress", ())
        if not rule.get("from")
        for port in rule["ports"]
    }
    assert open_to_all == {("clients", 7000)}
    closed = [rule for policy in production.of("NetworkPolicy") for rule in policy["spec"].get("egress", ())]
    assert all(rule.get("to") for rule in closed)


def test_no_secret_stands_in_a_manifest(overlay: Manifests) -> None:
    assert not overlay.of("Secret")
    for config in overlay.of("ConfigMap"):
        for text in config["data"].values():
            assert not [word for word in SECRET_WORDS if word in text]
    for pod in overlay.pods():
        for container in pod.containers:
            for variable in container.get("env", ()):
                assert "valueFrom" in variable or "KEY" not in variable["name"], (pod.name, variable)


def test_only_the_secrets_service_is_given_the_key_of_secrets(production: Manifests) -> None:
    holders = {pod.name for pod in production.pods() if "flyteplane-secrets-key" in json.dumps(pod.spec)}
    assert holders == {"secrets"}
    holders = {pod.name for pod in production.pods() if "flyteplane-bootstrap" in json.dumps(pod.spec)}
    assert holders == {"admin"}
