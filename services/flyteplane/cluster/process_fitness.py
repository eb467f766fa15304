"""What this machine's processes cannot carry out, refused at submit instead of ignored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from flyteapi.task.v1.task_spec_pb2 import ImageSpec, TaskSpec
from flyteplane.cluster.python_installs import options_elsewhere
from flyteplane.foundation.errors import InvalidArgument

_MEND: Final = "Run it on a cluster, or leave the setting out."
_MEND_OF_STEPS: Final = "Build the image and run the task on a cluster of pods, or take the step out for this platform."


def process_fitness(spec: TaskSpec, *, missing_packages: Callable[[list[str]], Sequence[str]] = list) -> None:
    """Raises `InvalidArgument` for a task that local processes cannot run as it asks.

    `missing_packages` gives those of the named Debian packages that the machine does not have.
    """
    if spec.resources.HasField("accelerator") and spec.resources.accelerator.quantity:
        accelerator = spec.resources.accelerator
        asked = f"{accelerator.quantity} x {accelerator.device or accelerator.device_class}"
        raise InvalidArgument(
            f"no resource class of this machine has {asked}", reason="NO_CLASS_FITS", field="resources.gpu", mend=_MEND
        )
    if spec.HasField("pod_template"):
        raise InvalidArgument(
            "local processes have no pods, so a pod template cannot be kept",
            reason="NOT_ON_THIS_CLUSTER",
            field="pod_template",
            mend=_MEND,
        )
    if spec.service_account:
        raise InvalidArgument(
            "local processes have no service accounts",
            reason="NOT_ON_THIS_CLUSTER",
            field="service_account",
            mend=_MEND,
        )
    _refuse_steps(spec.image)
    missing = missing_packages(list(spec.image.system_packages))
    if missing:
        raise InvalidArgument(
            f"local processes cannot install system packages: {', '.join(missing)}",
            reason="NOT_ON_THIS_CLUSTER",
            field="image",
            mend="Install them on this machine and leave them out of the image, or run on a cluster.",
        )


def _refuse_steps(image: ImageSpec) -> None:
    if image.container_steps:
        raise _step_refusal(
            f"local processes have no image for its steps to act on: {', '.join(image.container_steps)}"
        )
    for install in image.python_installs:
        if elsewhere := options_elsewhere(install.options):
            raise _step_refusal(
                "local processes have the packages of an image in an environment of their own, and nothing beside it, "
                f"so that this option of pip cannot be kept: {', '.join(elsewhere)}"
            )


def _step_refusal(problem: str) -> InvalidArgument:
    return InvalidArgument(problem, reason="NOT_ON_THIS_CLUSTER", field="image", mend=_MEND_OF_STEPS)
