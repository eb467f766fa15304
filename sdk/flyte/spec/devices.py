"""Accelerators: what a task can ask for by name, and what a cluster knows them by.

The catalogue lists the devices with the partitions that their vendors define. A device that is not in it cannot be
asked for by name; `Resources(gpu=2)` asks for any two of the cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from flyte.spec.problems import InvalidSetting

DeviceClass: TypeAlias = Literal["GPU", "TPU", "NEURON", "AMD_GPU", "HABANA_GAUDI", "APPLE_SILICON"]

_MIG_40GB: Final = ("1g.5gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb")
_MIG_80GB: Final = ("1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb")
_MIG_H100: Final = ("1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb")
_MIG_H200: Final = ("1g.18gb", "1g.35gb", "2g.35gb", "3g.71gb", "4g.71gb", "7g.141gb")
_MIG_RTX_PRO: Final = ("1g.24gb", "2g.48gb", "4g.96gb")

GPU_PARTITIONS: Final[dict[str, tuple[str, ...]]] = {
    "A2": (),
    "A10": (),
    "A10G": (),
    "A100": _MIG_40GB,
    "A100_80G": _MIG_80GB,
    "B200": (),
    "GB10": (),
    "GH200": (),
    "H100": _MIG_H100,
    "H200": _MIG_H200,
    "L4": (),
    "L40s": (),
    "RTX_PRO_6000": _MIG_RTX_PRO,
    "T4": (),
    "V100": (),
}
"""The GPU devices and the partitions that each can be divided into."""

TPU_SLICES: Final[dict[str, tuple[str, ...]]] = {
    "V5E": ("1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"),
    "V5P": (
        *("2x2x1", "2x2x2", "2x4x4", "4x4x4", "4x4x8", "4x8x8", "8x8x8"),
        *("8x8x16", "8x16x16", "16x16x16", "16x16x24"),
    ),
    "V6E": ("1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"),
}
"""The TPU generations and the slice topologies of each."""

NEURON_DEVICES: Final = ("Inf1", "Inf2", "Trn1", "Trn1n", "Trn2", "Trn2u")
AMD_GPU_DEVICES: Final = ("MI100", "MI210", "MI250", "MI250X", "MI300A", "MI300X", "MI325X", "MI350X", "MI355X")
HABANA_GAUDI_DEVICES: Final = ("Gaudi1",)

_GREATEST_COUNT: Final[dict[str, int]] = {"A2": 1, "Gaudi1": 1} | dict.fromkeys(NEURON_DEVICES, 16)

_CLASS_OF: Final[dict[str, DeviceClass]] = {
    **dict.fromkeys(GPU_PARTITIONS, "GPU"),
    **dict.fromkeys(NEURON_DEVICES, "NEURON"),
    **dict.fromkeys(AMD_GPU_DEVICES, "AMD_GPU"),
    **dict.fromkeys(HABANA_GAUDI_DEVICES, "HABANA_GAUDI"),
}

APPLE_SILICON_DEVICE: Final = "AppleSilicon"
"""The GPU of a Mac. It is named without a number, and no cluster has it: such tasks run locally."""

ACCELERATORS: Final[tuple[str, ...]] = (
    *(f"{device}:{count}" for device in _CLASS_OF for count in range(1, _GREATEST_COUNT.get(device, 8) + 1)),
    APPLE_SILICON_DEVICE,
)
"""Every text that `Resources(gpu=...)` accepts: a device of the catalogue, a colon, how many; or the GPU of a Mac."""

_RESOURCE_NAMES: Final[dict[DeviceClass, str]] = {
    "GPU": "nvidia.com/gpu",
    "TPU": "google.com/tpu",
    "NEURON": "aws.amazon.com/neuron",
    "AMD_GPU": "amd.com/gpu",
    "HABANA_GAUDI": "habana.ai/gaudi",
}


@dataclass(frozen=True, slots=True, repr=False)
class Device:
    """So many accelerators of one kind.

    `device=None` means any device of the class. `partition` is a MIG profile of a GPU or the slice topology of a TPU.
    """

    quantity: int
    device_class: DeviceClass
    device: str | None = None
    partition: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.quantity, bool) or not isinstance(self.quantity, int) or self.quantity < 1:
            raise InvalidSetting(
                f"{self.device_class} quantity must be at least 1, got {self.quantity!r}", field="resources.gpu"
            )
        classes = get_args(DeviceClass)
        if self.device_class not in classes:
            raise InvalidSetting(
                f"Invalid device class: {self.device_class}. Must be one of {classes}", field="resources.gpu"
            )

    def __repr__(self) -> str:
        optional = ((name, getattr(self, name)) for name in ("device", "partition"))
        tail = "".join(f", {name}={value!r}" for name, value in optional if value is not None)
        return f"Device({self.quantity!r}, {self.device_class!r}{tail})"

    @property
    def resource_name(self) -> str:
        """The extended resource that Kubernetes knows this device by, a partition of a GPU included.

        Raises InvalidSetting for the GPU of a Mac.
        """
        if self.device_class == "GPU" and self.partition is not None:
            return f"nvidia.com/mig-{self.partition}"
        if self.device_class not in _RESOURCE_NAMES:
            raise InvalidSetting(f"No cluster has devices of the class {self.device_class}.", field="resources.gpu")
        return _RESOURCE_NAMES[self.device_class]


def GPU(device: str, quantity: int, partition: str | None = None) -> Device:
    """Ask for `quantity` NVIDIA GPUs of a kind, or for partitions of them.

    Raises InvalidSetting for a device or partition that the catalogue does not have, or a quantity below 1.
    """
    name = device.replace(" ", "_") if isinstance(device, str) else device
    _require(name, kinds=tuple(GPU_PARTITIONS), label="GPU type")
    if not isinstance(quantity, int) or quantity < 1:
        raise InvalidSetting("GPU quantity must be at least 1", field="resources.gpu")
    _require_partition(name, partition, partitions=GPU_PARTITIONS[name])
    return Device(quantity, "GPU", device=name, partition=partition)


def TPU(device: str, partition: str | None = None) -> Device:
    """Ask for one TPU slice of a generation; `partition` is its topology, such as '2x2x1'."""
    _require(device, kinds=tuple(TPU_SLICES), label="TPU type")
    _require_partition(device, partition, partitions=TPU_SLICES[device])
    return Device(1, "TPU", device=device, partition=partition)


def Neuron(device: str) -> Device:
    """Ask for one AWS Neuron device."""
    return Device(1, "NEURON", device=_require(device, kinds=NEURON_DEVICES, label="Neuron type"))


def AMD_GPU(device: str) -> Device:
    """Ask for one AMD GPU."""
    return Device(1, "AMD_GPU", device=_require(device, kinds=AMD_GPU_DEVICES, label="AMD GPU type"))


def HABANA_GAUDI(device: str) -> Device:
    """Ask for one Habana Gaudi device."""
    return Device(1, "HABANA_GAUDI", device=_require(device, kinds=HABANA_GAUDI_DEVICES, label="Habana Gaudi type"))


def APPLE_SILICON() -> Device:
    """Ask for the GPU of the Mac that a task runs on; for local runs, since no cluster has it."""
    return Device(1, "APPLE_SILICON", device=APPLE_SILICON_DEVICE)


def parse_accelerator(text: str) -> Device:
    """Return the device that an accelerator text such as 'A100:4' asks for. The text must be one of `ACCELERATORS`."""
    if text == APPLE_SILICON_DEVICE:
        return APPLE_SILICON()
    device, _, count = text.partition(":")
    return Device(int(count), _CLASS_OF[device], device=device)


def _require(device: str, *, kinds: tuple[str, ...], label: str) -> str:
    if device not in kinds:
        raise InvalidSetting(f"Invalid {label}: {device}. Must be one of {kinds}", field="resources.gpu")
    return device


def _require_partition(device: str, partition: str | None, *, partitions: tuple[str, ...]) -> None:
    if partition is None or partition in partitions:
        return
    raise InvalidSetting(
        f"Invalid partition for {device}: {partition}. Must be one of {partitions}", field="resources.gpu"
    )
