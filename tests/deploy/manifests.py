"""Rendered Kubernetes objects, asked for by what tests want to know of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Object: TypeAlias = "Mapping[str, Any]"


@dataclass(frozen=True, slots=True)
class Pod:
    """The pods of one workload."""

    kind: str
    name: str
    namespace: str
    labels: Mapping[str, str]
    spec: Object

    @property
    def containers(self) -> Sequence[Object]:
        """Those that start it included."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]


class Manifests:
    """What an overlay renders to."""

    def __init__(self, objects: Sequence[Object]) -> None:
        self.objects = objects

    def of(self, kind: str) -> Sequence[Object]:
        """Every object of a kind."""
        return [one for one in self.objects if one["kind"] == kind]

    def named(self, kind: str, name: str) -> Object:
        """The object of a kind and name. Fails if there is none."""
        found = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        assert found, f"there is no {kind} {name}"
        return found[0]

    def pods(self) -> Iterator[Pod]:
        """The pods of every Deployment, StatefulSet and Job."""
        for kind in ("Deployment", "StatefulSet", "Job"):
            for one in self.of(kind):
                template = one["spec"]["template"]
                metadata = one["metadata"]
                labels = template["metadata"]["labels"]
                yield Pod(kind, metadata["name"], metadata["namespace"], labels, template["spec"])

    def selected(self, selector: Mapping[str, Any], *, namespace: str) -> list[Pod]:
        """The pods that a selector finds."""
        return [pod for pod in self.pods() if pod.namespace == namespace and matches(selector, pod.labels)]


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels meet a selector, in either of its spellings."""
    if not {"matchLabels", "matchExpressions"}.intersection(selector):
        return all(labels.get(key) == value for key, value in selector.items())
    expressions = selector.get("matchExpressions", ())
    assert all(one["operator"] == "In" for one in expressions)
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(one["key"]) in one["values"] for one in expressions
    )
