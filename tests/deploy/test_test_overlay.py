"""What is tested in a cluster is what is run in production, but for what is said here."""

from __future__ import annotations

import copy
from typing import Any

from tests.deploy.conftest import render
from tests.deploy.manifests import Manifests


def test_the_tested_services_are_those_of_production_on_less_room(production: Manifests) -> None:
    tested = render("test")
    for kind in ("Deployment", "Job", "Service", "ServiceAccount", "Role", "RoleBinding"):
        for one in production.of(kind):
            found = tested.named(kind, one["metadata"]["name"])
            assert comparable(found) == comparable(one), (kind, one["metadata"]["name"])


def test_the_budgets_differ_in_their_version_only(production: Manifests) -> None:
    for one in production.of("PodDisruptionBudget"):
        found = render("test").named("PodDisruptionBudget", one["metadata"]["name"])
        assert found["spec"] == one["spec"]


def test_the_namespaces_of_tests_say_so(production: Manifests) -> None:
    label = "flyteplane.dev/test"
    assert all(one["metadata"]["labels"][label] == "true" for one in render("test").of("Namespace"))
    assert not [one for one in production.of("Namespace") if label in one["metadata"]["labels"]]


def comparable(one: Any) -> Any:
    """An object without what may differ: the image, the room, how often it is probed, the fixed address."""
    copied = copy.deepcopy(one)
    copied["spec"] = copied.get("spec", {})
    copied["spec"].pop("clusterIP", None)
    pod = copied["spec"].get("template", {}).get("spec", {})
    for container in (*pod.get("initContainers", ()), *pod.get("containers", ())):
        for name in ("image", "resources"):
            container.pop(name)
        container.get("readinessProbe", {}).pop("periodSeconds", None)
    return copied
