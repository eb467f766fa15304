"""Everything that operators apply is what a current Kubernetes knows, field by field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from tests.deploy.conftest import render
from tests.deploy.manifests import Manifests
from tests.deploy.schema import problems_of


@pytest.mark.parametrize("name", ["dev", "production"])
def test_every_field_is_known_and_of_its_type(name: str) -> None:
    found = [f"{one['metadata']['name']}: {problem}" for one in render(name).objects for problem in problems_of(one)]
    assert not found, "\n".join(found)


def test_only_the_tests_have_what_current_releases_no_longer_know() -> None:
    problems = {problem for one in render("test").objects for problem in problems_of(one)}
    assert problems == {"policy/v1beta1 PodDisruptionBudget is not of a current release"}


Change = Callable[[dict[str, Any]], object]
CHANGES: dict[str, tuple[Change, str]] = {
    "unknown": (lambda pod: pod.update(termnationGracePeriodSeconds=3), "there is no field termnationGrace"),
    "misplaced": (lambda pod: pod.update(readOnlyRootFilesystem=True), "there is no field readOnlyRoot"),
    "missing": (lambda pod: pod["containers"][0].pop("name"), "Field required"),
    "text for number": (lambda pod: pod.update(terminationGracePeriodSeconds="30"), "is no int"),
    "number for text": (lambda pod: pod.update(serviceAccountName=7), "is no str"),
    "text for list": (lambda pod: pod["containers"][0].update(args="--one"), "is no list"),
    "quantity": (lambda pod: pod["containers"][0]["resources"]["limits"].update(memory="2 GB"), "is no quantity"),
    "port": (lambda pod: pod["containers"][0]["ports"][0].update(name="a_port_with_a_long_name"), "name of a port"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_mistakes_are_found(production: Manifests, change: str) -> None:
    one: dict[str, Any] = yaml.safe_load(yaml.safe_dump(production.named("Deployment", "admin")))
    make, said = CHANGES[change]
    make(one["spec"]["template"]["spec"])
    assert said in "\n".join(problems_of(one))
