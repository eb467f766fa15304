"""What a task needs of a machine.

`Resources` keeps the user's own spelling and refuses only what cannot possibly be meant; `amounts()` is the strict
reading in numbers, which the SDK makes before a run or a deployment is sent and the services make again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from flyte.spec.devices import ACCELERATORS, Device, parse_accelerator
from flyte.spec.problems import InvalidSetting

CpuQuantity: TypeAlias = int | float | str

_CPU_HINT: Final = "a core count or a Kubernetes quantity string such as 1, 0.5 or '100m'"
_BYTES_HINT: Final = "a Kubernetes quantity string such as '1Gi', '512Mi' or '2G'"
_GPU_HINT: Final = "an accelerator string such as 'A100:4', a device count, or a GPU()/TPU()/Device() instance"


@dataclass(frozen=True, slots=True)
class ResourceAmounts:
    """Resources in numbers. None means that the platform's own default applies."""

    cpu_request_millis: int | None = None
    cpu_limit_millis: int | None = None
    memory_request_bytes: int | None = None
    memory_limit_bytes: int | None = None
    disk_bytes: int | None = None
    shm_bytes: int | None = None
    """Size of /dev/shm; None with `shm_auto` means as large as the memory allows."""
    shm_auto: bool = False
    device: Device | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """The cpu, memory, accelerators, disk and shared memory of one container.

    A single value is a request; a pair is (request, limit).

    - `cpu`: cores, as a number or a Kubernetes quantity.
    - `memory`, `disk`: Kubernetes quantities of bytes.
    - `gpu`: a count of any device, an accelerator text such as "A100:4", or a `Device`; 0 means none.
    - `shm`: a quantity, or "auto" for as much as the memory allows.

    Raises InvalidSetting, a ValueError, for a value of another type or a negative number.
    """

    cpu: CpuQuantity | tuple[CpuQuantity, CpuQuantity] | None = None
    memory: str | tuple[str, str] | None = None
    gpu: str | int | Device | None = None
    disk: str | None = None
    shm: str | Literal["auto"] | None = None

    def __post_init__(self) -> None:
        _check_cpu(self.cpu)
        _check_memory(self.memory)
        for field, value in (("disk", self.disk), ("shm", self.shm)):
            if value is not None and not isinstance(value, str):
                raise _wrong_type(field, value, _BYTES_HINT)
        object.__setattr__(self, "gpu", _check_gpu(self.gpu))

    def get_device(self) -> Device | None:
        """Return the accelerators asked for, or None."""
        if self.gpu is None or isinstance(self.gpu, Device):
            return self.gpu
        if isinstance(self.gpu, int):
            return Device(self.gpu, "GPU") if self.gpu > 0 else None
        return parse_accelerator(self.gpu)

    def get_shared_memory(self) -> str | None:
        """Return the size of /dev/shm: None for the platform's default, "" for as much as the memory allows."""
        return "" if self.shm == "auto" else self.shm

    def amounts(self) -> ResourceAmounts:
        """Return these resources in numbers, or raise InvalidSetting for one that no machine could keep."""
        # Decimal arithmetic is not needed to declare a task, only to send one.
        from flyte.spec.quantities import parse_cpu_millis

        cpu_request, cpu_limit = self.cpu if isinstance(self.cpu, tuple) else (self.cpu, None)
        memory_request, memory_limit = self.memory if isinstance(self.memory, tuple) else (self.memory, None)
        amounts = ResourceAmounts(
            cpu_request_millis=None if cpu_request is None else parse_cpu_millis(cpu_request, field="resources.cpu"),
            cpu_limit_millis=None if cpu_limit is None else parse_cpu_millis(cpu_limit, field="resources.cpu"),
            memory_request_bytes=_bytes(memory_request, "memory"),
            memory_limit_bytes=_bytes(memory_limit, "memory"),
            disk_bytes=_bytes(self.disk, "disk"),
            shm_bytes=_bytes(None if self.shm == "auto" else self.shm, "shm"),
            shm_auto=self.shm == "auto",
            device=self.get_device(),
        )
        _require_order("cpu", amounts.cpu_request_millis, amounts.cpu_limit_millis)
        _require_order("memory", amounts.memory_request_bytes, amounts.memory_limit_bytes)
        return amounts


def _check_cpu(cpu: object) -> None:
    if isinstance(cpu, tuple):
        if len(cpu) != 2:
            raise InvalidSetting("cpu tuple must have exactly two elements", field="resources.cpu")
        for element in cpu:
            if element is None:
                raise InvalidSetting("cpu pair elements must both be set, got None", field="resources.cpu")
            _check_cpu_value(element)
    elif cpu is not None:
        _check_cpu_value(cpu)


def _check_cpu_value(cpu: object) -> None:
    if not isinstance(cpu, int | float | str):
        raise _wrong_type("cpu", cpu, _CPU_HINT)
    if not isinstance(cpu, str) and cpu < 0:
        raise InvalidSetting("cpu must be greater than or equal to 0", field="resources.cpu")


def _check_memory(memory: object) -> None:
    if isinstance(memory, tuple):
        if len(memory) != 2:
            raise InvalidSetting("memory tuple must have exactly two elements", field="resources.memory")
        if None in memory:
            raise InvalidSetting("memory pair elements must both be set, got None", field="resources.memory")
    for size in memory if isinstance(memory, tuple) else (memory,):
        if size is not None and not isinstance(size, str):
            raise _wrong_type("memory", size, _BYTES_HINT)


def _check_gpu(gpu: object) -> str | int | Device | None:
    if gpu is None or isinstance(gpu, Device):
        return gpu
    if isinstance(gpu, str):
        canonical = gpu.replace(" ", "_")
        if canonical not in ACCELERATORS:
            known = ", ".join(map(repr, ACCELERATORS))
            raise InvalidSetting(f"gpu must be one of typing.Literal[{known}], got {gpu!r}", field="resources.gpu")
        return canonical
    if isinstance(gpu, int) and not isinstance(gpu, bool):
        if gpu < 0:
            raise InvalidSetting("gpu must be greater than or equal to 0", field="resources.gpu")
        return gpu
    raise _wrong_type("gpu", gpu, _GPU_HINT)


def _bytes(size: str | None, field: str) -> int | None:
    from flyte.spec.quantities import parse_bytes

    return None if size is None else parse_bytes(size, field=f"resources.{field}")


def _require_order(field: str, request: int | None, limit: int | None) -> None:
    if request is not None and limit is not None and limit < request:
        raise InvalidSetting(
            f"resources.{field}: the limit is smaller than the request. Write (request, limit).",
            field=f"resources.{field}",
        )


def _wrong_type(field: str, value: object, hint: str) -> InvalidSetting:
    return InvalidSetting(f"{field} must be {hint}, got {type(value).__name__}: {value!r}", field=f"resources.{field}")
