"""Resources: lenient when they are written, strict when they are sent."""

from typing import Any, cast

import pytest

import flyte
from flyte.spec.devices import AMD_GPU, GPU, HABANA_GAUDI, TPU, Device, Neuron
from flyte.spec.problems import InvalidSetting
from flyte.spec.resources import ResourceAmounts, Resources


def test_amounts_are_numbers_with_requests_and_limits() -> None:
    resources = Resources(cpu=("500m", 2), memory=("1Gi", "2Gi"), gpu="A100:4", disk="10Gi", shm="64Mi")
    assert resources.amounts() == ResourceAmounts(
        cpu_request_millis=500,
        cpu_limit_millis=2000,
        memory_request_bytes=2**30,
        memory_limit_bytes=2**31,
        disk_bytes=10 * 2**30,
        shm_bytes=64 * 2**20,
        device=Device(4, "GPU", device="A100"),
    )


def test_nothing_asked_for_is_nothing_in_numbers() -> None:
    assert Resources().amounts() == ResourceAmounts()


@pytest.mark.parametrize(
    ("resources", "field"),
    [
        (Resources(cpu="-1"), "resources.cpu"),
        (Resources(memory="abc"), "resources.memory"),
        (Resources(disk="1 Gi"), "resources.disk"),
        (Resources(shm="lots"), "resources.shm"),
        (Resources(cpu=(2, 1)), "resources.cpu"),
        (Resources(memory=("2Gi", "1Gi")), "resources.memory"),
    ],
)
def test_a_quantity_that_no_machine_can_keep_is_refused_when_it_is_read(resources: Any, field: Any) -> None:
    with pytest.raises(InvalidSetting) as refused:
        resources.amounts()
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cpu": (1, 2, 3)}, "cpu tuple must have exactly two elements"),
        ({"cpu": (1, None)}, "cpu pair elements must both be set, got None"),
        ({"cpu": -0.5}, "cpu must be greater than or equal to 0"),
        ({"memory": 1024}, "memory must be a Kubernetes quantity string such as '1Gi', '512Mi' or '2G', got int: 1024"),
        ({"memory": ("1Gi",)}, "memory tuple must have exactly two elements"),
        ({"memory": ("1Gi", None)}, "memory pair elements must both be set, got None"),
        ({"disk": 5}, "disk must be a Kubernetes quantity string"),
        ({"gpu": ("A100", 1)}, "gpu must be an accelerator string"),
        ({"gpu": True}, "gpu must be an accelerator string"),
        ({"gpu": -1}, "gpu must be greater than or equal to 0"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_at_once(arguments: Any, message: Any) -> None:
    with pytest.raises(ValueError, match="must") as refused:
        Resources(**arguments)
    assert str(refused.value).startswith(message)


def test_shared_memory_distinguishes_default_auto_and_size() -> None:
    assert Resources().get_shared_memory() is None
    assert Resources(shm="auto").get_shared_memory() == ""
    assert Resources(shm="1Gi").get_shared_memory() == "1Gi"
    assert Resources(shm="auto").amounts().shm_auto


@pytest.mark.parametrize(
    ("device", "resource_name"),
    [
        (GPU("A100", 2), "nvidia.com/gpu"),
        (GPU("A100", 1, "1g.5gb"), "nvidia.com/mig-1g.5gb"),
        (TPU("V5P", "2x2x1"), "google.com/tpu"),
        (Neuron("Trn1"), "aws.amazon.com/neuron"),
        (AMD_GPU("MI300X"), "amd.com/gpu"),
        (HABANA_GAUDI("Gaudi1"), "habana.ai/gaudi"),
    ],
)
def test_each_device_has_the_resource_name_of_its_vendor(device: Any, resource_name: Any) -> None:
    assert device.resource_name == resource_name


@pytest.mark.parametrize("text", ["Trn1:16", "MI300X:1", "Gaudi1:1", "A100_80G:8", "A100 80G:8"])
def test_accelerators_of_every_vendor_can_be_asked_for_by_text(text: Any) -> None:
    device = Resources(gpu=text).get_device()
    assert device is not None
    assert f"{device.device}:{device.quantity}" == text.replace(" ", "_")


@pytest.mark.parametrize(
    "make", [lambda: GPU("FOO", 1), lambda: GPU("T4", 0), lambda: Device(0, "GPU"), lambda: Device(1, cast(Any, "ABC"))]
)
def test_an_impossible_device_is_refused(make: Any) -> None:
    with pytest.raises(InvalidSetting):
        make()


def test_the_gpu_of_a_mac_is_asked_for_without_a_number_and_no_cluster_has_it() -> None:
    asked = Resources(gpu="AppleSilicon").get_device()
    assert asked == flyte.APPLE_SILICON() == Device(1, "APPLE_SILICON", device="AppleSilicon")
    assert Resources(gpu=asked).amounts().device == asked
    with pytest.raises(InvalidSetting, match="No cluster has devices of the class APPLE_SILICON"):
        _ = asked.resource_name
