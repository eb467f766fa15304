"""The pods that we make, shown to a real API server that validates them and keeps none.

Runs against whatever cluster KUBECONFIG names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from typing import Any

import pytest
from tests.cluster.pods.sample import EVERYTHING, by_name, by_value, request, stored, surroundings, worker
from tests.cluster.pods.test_builder import RICH
from tests.cluster.pods.test_security import ALLOWED_BY_A_CLASS

from flyteapi.task.v1.task_spec_pb2 import Accelerator, ResourceRequest
from flyteplane.cluster.pods import PodSurroundings, build_pod, pod_name
from flyteplane.cluster.ports import PodConstraints, PodRequest

pytestmark = [
    pytest.mark.kubernetes,
    pytest.mark.skipif(
        not os.environ.get("KUBECONFIG") or shutil.which("kubectl") is None,
        reason="KUBECONFIG names no cluster, or kubectl is missing",
    ),
]


#: An account that is there; a container that is privileged as well.
_NEEDS_MORE = {"serviceAccount", "serviceAccountName", "Bidirectional"}


def _surroundings(number: int, **changes: Any) -> PodSurroundings:
    return replace(surroundings(), pod_name=pod_name(f"dry-{number}"), namespace="default", **changes)


def _requests() -> list[PodRequest]:
    everything = ResourceRequest(
        cpu="500m",
        memory="1Gi",
        memory_limit="2Gi",
        disk="1Gi",
        shared_memory="64Mi",
        accelerator=Accelerator(device_class="GPU", device="A100", quantity=2),
    )
    constraints = PodConstraints(
        node_selector={"pool": "batch"}, tolerations=({"key": "batch", "operator": "Exists", "effect": "NoSchedule"},)
    )
    read_only = {"containers": [{"name": "primary", "securityContext": {"readOnlyRootFilesystem": True}}]}
    return [
        request(),
        request(resources=everything, constraints=constraints, interruptible=True),
        request(by_value(RICH | {"topologySpreadConstraints": []})),
        request(by_value(read_only), resources=everything, labels={"team": "a"}, annotations={"note": "x y"}),
        *(
            request(by_value(spec), constraints=EVERYTHING)
            for spec in ALLOWED_BY_A_CLASS
            if not _NEEDS_MORE & set(str(spec).split("'"))
        ),
    ]


def _dry_run(pods: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    document = json.dumps({"apiVersion": "v1", "kind": "List", "items": pods})
    command = ("kubectl", "create", "--dry-run=server", "--validate=false", "--output=json", "--filename=-")
    return subprocess.run(command, input=document, capture_output=True, text=True, check=False, timeout=60)


def test_an_api_server_takes_every_pod_that_is_made() -> None:
    pods = [
        build_pod(worker(pod), surroundings=_surroundings(number, image_pull_secrets=("registry",)))
        for number, pod in enumerate(_requests())
    ]
    answer = _dry_run(pods)
    assert answer.returncode == 0, answer.stderr


def test_a_template_with_the_defaults_of_an_api_server_makes_a_pod() -> None:
    template = stored({"containers": [{"name": "primary", "image": "any:latest"}]})
    body = {**template, "metadata": {"name": "dry", "namespace": "default"}}
    answer = _dry_run([body])
    assert answer.returncode == 0, answer.stderr
    served = json.loads(answer.stdout)
    assert served["template"]["spec"]["restartPolicy"] == "Always"
    pod = build_pod(worker(request(by_name())), surroundings=_surroundings(0), named_template=served)
    assert _dry_run([pod]).returncode == 0
