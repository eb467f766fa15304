"""Requests and limits of the primary container, shared memory, disk and accelerators."""

from typing import Any

import pytest
from tests.cluster.pods.sample import by_value, primary, request, surroundings, worker
from tests.cluster.pods.structure import assert_well_formed

from flyteapi.task.v1.task_spec_pb2 import Accelerator, PodTemplate, ResourceRequest
from flyteplane.cluster.pods import DEFAULT_DEVICES, DeviceRule, LimitsPolicy, build_pod
from flyteplane.foundation.errors import InvalidArgument


def _pod(asked: ResourceRequest, template: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    containers = [{"name": "primary", "resources": template}] if template else []
    message: PodTemplate | None = by_value({"containers": containers}) if containers else None
    pod = build_pod(worker(request(message, resources=asked)), surroundings=surroundings(**changes))
    assert_well_formed(pod)
    return pod


def _resources(asked: ResourceRequest, template: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = primary(_pod(asked, template, **changes))["resources"]
    return found


def test_a_request_without_a_limit_gets_the_request_as_limit() -> None:
    resources = _resources(ResourceRequest(cpu="2500m", memory="1Gi"))
    assert resources == {
        "requests": {"cpu": "2500m", "memory": "1Gi"},
        "limits": {"cpu": "2500m", "memory": "1Gi"},
    }


def test_the_limit_of_a_small_request_of_cpu_is_a_whole_core() -> None:
    resources = _resources(ResourceRequest(cpu="50m"))
    assert resources["requests"]["cpu"] == "50m"
    assert resources["limits"]["cpu"] == "1"


def test_the_operator_decides_how_limits_follow_from_requests() -> None:
    policy = LimitsPolicy(cpu=None, memory=1.5)
    resources = _resources(ResourceRequest(cpu="500m", memory="1Gi"), limits=policy)
    assert resources["limits"] == {"memory": "1536Mi"}


@pytest.mark.parametrize("factor", [0.5, 0, -1, float("nan"), float("inf")])
def test_a_policy_that_forbids_what_is_requested_is_refused(factor: float) -> None:
    with pytest.raises(InvalidArgument) as refused:
        LimitsPolicy(cpu=factor)
    assert refused.value.field == "limits.cpu"
    with pytest.raises(InvalidArgument) as refused:
        LimitsPolicy(memory=factor)
    assert refused.value.field == "limits.memory"


def test_limits_that_are_given_stay() -> None:
    resources = _resources(ResourceRequest(cpu="1", cpu_limit="4", memory="1Gi", memory_limit="2Gi"))
    assert resources["limits"] == {"cpu": "4", "memory": "2Gi"}


def test_the_tasks_word_replaces_request_and_limit_of_the_template() -> None:
    template = {"requests": {"cpu": "8", "memory": "4Gi"}, "limits": {"cpu": "8", "memory": "4Gi"}}
    resources = _resources(ResourceRequest(cpu="500m"), template)
    assert resources["requests"] == {"cpu": "500m", "memory": "4Gi"}
    assert resources["limits"] == {"cpu": "1", "memory": "4Gi"}


def test_a_limit_alone_is_also_the_request() -> None:
    assert _resources(ResourceRequest(memory_limit="2Gi"))["requests"]["memory"] == "2Gi"


def test_a_task_that_asks_nothing_gets_small_requests_and_no_limit() -> None:
    assert _resources(ResourceRequest()) == {"requests": {"cpu": "100m", "memory": "256Mi"}}
    assert _resources(ResourceRequest(), default_requests={}) == {}


def test_extended_resources_and_claims_of_the_template_stay() -> None:
    template = {"limits": {"example.com/dongle": 1}, "claims": [{"name": "camera"}]}
    resources = _resources(ResourceRequest(cpu="1"), template)
    assert resources["limits"]["example.com/dongle"] == 1
    assert resources["claims"] == [{"name": "camera"}]


def test_disk_is_ephemeral_storage() -> None:
    resources = _resources(ResourceRequest(disk="10Gi"))
    assert resources["requests"]["ephemeral-storage"] == resources["limits"]["ephemeral-storage"] == "10Gi"


@pytest.mark.parametrize(("asked", "size"), [("auto", None), ("2Gi", "2Gi")])
def test_shared_memory_is_a_volume_in_memory(asked: str, size: str | None) -> None:
    pod = _pod(ResourceRequest(memory="4Gi", shared_memory=asked))
    volume = next(v for v in pod["spec"]["volumes"] if v["name"] == "flyte-shm")
    assert volume["emptyDir"]["medium"] == "Memory"
    assert volume["emptyDir"].get("sizeLimit") == size
    assert {"name": "flyte-shm", "mountPath": "/dev/shm"} in primary(pod)["volumeMounts"]


def test_without_a_wish_the_runtimes_own_shared_memory_stays() -> None:
    assert "flyte-shm" not in str(_pod(ResourceRequest()))


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (ResourceRequest(cpu="abc"), "resources"),
        (ResourceRequest(cpu="-1"), "resources"),
        (ResourceRequest(memory="1Gi!"), "resources"),
        (ResourceRequest(memory="-1Gi"), "resources"),
        (ResourceRequest(disk="much"), "resources"),
        (ResourceRequest(shared_memory="half"), "resources"),
        (ResourceRequest(cpu="2", cpu_limit="1"), "resources.cpu"),
        (ResourceRequest(memory="2Gi", memory_limit="1Gi"), "resources.memory"),
        (ResourceRequest(memory_limit="1Gi", shared_memory="2Gi"), "resources.shm"),
    ],
)
def test_resources_that_no_pod_can_have_are_refused(asked: ResourceRequest, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        _pod(asked)
    assert refused.value.field == field
    assert refused.value.mend


def _devices(**fields: Any) -> ResourceRequest:
    return ResourceRequest(accelerator=Accelerator(**fields))


@pytest.mark.parametrize(
    ("device_class", "resource"),
    [
        ("GPU", "nvidia.com/gpu"),
        ("AMD_GPU", "amd.com/gpu"),
        ("HABANA_GAUDI", "habana.ai/gaudi"),
        ("NEURON", "aws.amazon.com/neuron"),
        ("TPU", "google.com/tpu"),
    ],
)
def test_accelerators_are_the_vendors_resources(device_class: str, resource: str) -> None:
    pod = _pod(_devices(device_class=device_class, quantity=2))
    resources = primary(pod)["resources"]
    assert resources["limits"][resource] == resources["requests"][resource] == "2"
    assert {"key": resource, "operator": "Exists", "effect": "NoSchedule"} in pod["spec"]["tolerations"]
    assert "nodeSelector" not in pod["spec"]


def test_a_named_device_selects_its_nodes() -> None:
    pod = _pod(_devices(device_class="GPU", device="A100", quantity=1))
    assert pod["spec"]["nodeSelector"] == {"flyteplane.dev/accelerator": "A100"}


def test_the_operator_says_how_nodes_name_their_devices() -> None:
    rule = DeviceRule(
        resource="nvidia.com/gpu",
        node_label="cloud.google.com/gke-accelerator",
        label_values={"A100": "nvidia-tesla-a100"},
    )
    pod = _pod(_devices(device_class="GPU", device="A100", quantity=1), devices={"GPU": rule})
    assert pod["spec"]["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-tesla-a100"}


def test_a_partition_of_a_gpu_is_a_resource_of_its_own() -> None:
    resources = _resources(_devices(device_class="GPU", device="A100", quantity=1, partition="1g.5gb"))
    assert resources["limits"]["nvidia.com/mig-1g.5gb"] == "1"
    assert "nvidia.com/gpu" not in resources["limits"]


def test_a_tpu_slice_asks_for_its_chips_and_topology() -> None:
    pod = _pod(_devices(device_class="TPU", device="V5E", quantity=1, partition="2x4"))
    assert primary(pod)["resources"]["limits"]["google.com/tpu"] == "8"
    assert pod["spec"]["nodeSelector"] == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
        "cloud.google.com/gke-tpu-topology": "2x4",
    }


@pytest.mark.parametrize(
    ("fields", "devices"),
    [
        ({"device_class": "QPU", "quantity": 1}, DEFAULT_DEVICES),
        ({"device_class": "GPU", "quantity": 1}, {}),
        (
            {"device_class": "GPU", "quantity": 1, "device": "T4"},
            {"GPU": DeviceRule(resource="nvidia.com/gpu", node_label="")},
        ),
        ({"device_class": "TPU", "quantity": 1, "device": "V5P", "partition": "4x4x4"}, DEFAULT_DEVICES),
        ({"device_class": "TPU", "quantity": 1, "device": "V5E", "partition": "axb"}, DEFAULT_DEVICES),
    ],
)
def test_devices_that_the_cluster_cannot_give_are_refused(fields: dict[str, Any], devices: Any) -> None:
    with pytest.raises(InvalidArgument) as refused:
        _pod(_devices(**fields), devices=devices)
    assert refused.value.field == "resources.gpu"
    assert refused.value.mend
