"""What no cluster of Kubernetes could carry out, or may, refused when a task is submitted instead of when it is placed.

The pod of the task is built once, for nowhere in particular, and thrown away: whatever the builder would refuse later
is refused now. A template that the task names is judged when it is at hand, at the latest when a pod is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from flyteplane.cluster.pods.builder import build_pod
from flyteplane.cluster.pods.container_security import reserved_variable
from flyteplane.cluster.pods.refusals import forbidden, refusal
from flyteplane.cluster.pods.surroundings import PodSurroundings
from flyteplane.cluster.ports import PodConstraints, PodRequest, WorkerSpec

if TYPE_CHECKING:
    from flyteapi.task.v1.task_spec_pb2 import TaskSpec

_NOWHERE: Final = PodSurroundings(
    pod_name="nowhere",
    namespace="nowhere",
    installation="nowhere",
    cluster="nowhere",
    default_image="none",
    worker_endpoints=(),
    contact_s=0.0,
)


def refuse_unfit_pod(
    task: TaskSpec,
    constraints: PodConstraints,
    *,
    surroundings: PodSurroundings | None = None,
    named_template: Mapping[str, Any] | None = None,
) -> None:
    """Raises `InvalidArgument` for a task that can never become a pod as it asks. Pure and quick.

    Args:
        task: the task version.
        constraints: what the task's resource class adds and allows.
        surroundings: the operator's configuration of the cluster; what depends on it is passed over without it.
        named_template: the template that the task names, where it is at hand.
    """
    _refuse_variables(task)
    _refuse_image(task)
    template = task.pod_template if task.HasField("pod_template") else None
    if template is not None and template.name and named_template is None and not template.pod_template_json:
        template = None
    request = PodRequest(
        image=task.image,
        resources=task.resources,
        template=template,
        service_account=task.service_account,
        interruptible=task.interruptible,
        constraints=constraints,
    )
    worker = WorkerSpec(name=task.name, pod=request)
    build_pod(worker, surroundings=surroundings or _NOWHERE, named_template=named_template)


def _refuse_variables(task: TaskSpec) -> None:
    for field, variables in (("env_vars", task.env), ("image.env_vars", task.image.env)):
        for name in variables:
            if reserved_variable(name):
                raise forbidden(
                    f"the environment variable {name} is set by the platform only",
                    field=field,
                    mend="Choose another name.",
                )


def _refuse_image(task: TaskSpec) -> None:
    """A pod installs nothing. Python packages are looked for when the worker starts; nothing could look for others."""
    image = task.image
    if image.system_packages and not image.uri:
        raise refusal(
            f"a pod installs no packages, and the image with {', '.join(image.system_packages[:5])} has no reference",
            field="image",
            mend="Build and push the image, and name it.",
            reason="NOT_ON_THIS_CLUSTER",
        )
