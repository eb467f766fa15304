"""Workers, tasks and surroundings for the tests of pods: plain ones, of which each test changes what it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flyteapi.task.v1.task_spec_pb2 import ImageSpec, PodTemplate, ResourceRequest, TaskSpec
from flyteplane.cluster.pods import PodSurroundings, build_pod, pod_name
from flyteplane.cluster.ports import PodConstraints, PodRequest, WorkerSpec

WORKER = "run-1.a0.1.77"
DEFAULT_IMAGE = "registry.example/runner:1"
TOKEN = "the-token-of-the-attempt"
EVERYTHING = PodConstraints(
    allow_host_paths=True,
    allow_privileged=True,
    allow_service_account_token=True,
    service_accounts=("trainer",),
)


def surroundings(**changes: Any) -> PodSurroundings:
    """A cluster whose operator configured the least."""
    plain = PodSurroundings(
        pod_name=pod_name(WORKER),
        namespace="flyte-shop-development",
        installation="main",
        cluster="east",
        default_image=DEFAULT_IMAGE,
        worker_endpoints=("scheduler-0:9443", "scheduler-1:9443"),
        contact_s=15.0,
    )
    return replace(plain, **changes)


def by_value(spec: Mapping[str, Any] | None = None, *, primary: str = "", **metadata: Any) -> PodTemplate:
    """A template as the SDK sends it."""
    document = {"metadata": metadata, "spec": spec or {}}
    return PodTemplate(pod_template_json=json.dumps(document), primary_container=primary)


def by_name(name: str = "team") -> PodTemplate:
    """A template that is kept in the cluster."""
    return PodTemplate(name=name)


def stored(spec: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    """A PodTemplate as the API server gives it, with the defaults that it writes."""
    defaults = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }
    return {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {"name": "team", "uid": "1", "managedFields": [{}]},
        "template": {"metadata": {"creationTimestamp": None, **metadata}, "spec": {**defaults, **spec}},
    }


def request(template: PodTemplate | None = None, **changes: Any) -> PodRequest:
    """What a task without wishes asks for."""
    plain = PodRequest(image=ImageSpec(), resources=ResourceRequest(), template=template)
    return replace(plain, **changes)


def worker(pod: PodRequest | None = None, **changes: Any) -> WorkerSpec:
    """A fresh worker of one attempt."""
    labels = {"project": "shop", "domain": "development", "run": "run-1", "action": "a0", "attempt": "1"}
    plain = WorkerSpec(name=WORKER, token=TOKEN, labels=labels, pod=pod or request())
    return replace(plain, **changes)


def built(
    template: PodTemplate | None = None, *, named: Mapping[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """The pod of a task with this template; `changes` are of its request."""
    return build_pod(worker(request(template, **changes)), surroundings=surroundings(), named_template=named)


def primary(pod: Mapping[str, Any], name: str = "primary") -> dict[str, Any]:
    """The container of that name."""
    found: dict[str, Any] = next(c for c in pod["spec"]["containers"] if c["name"] == name)
    return found


def environment(container: Mapping[str, Any]) -> dict[str, Any]:
    """Values of variables by name."""
    return {variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in container["env"]}


def task(template: PodTemplate | None = None, **fields: Any) -> TaskSpec:
    """A task version with this template."""
    return TaskSpec(name="shop.train", environment="shop", pod_template=template, **fields)
