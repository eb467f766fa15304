"""What is refused at submit, before anything is stored."""

from typing import Any

import pytest
from tests.cluster.pods.sample import EVERYTHING, by_name, by_value, stored, surroundings, task

from flyteapi.task.v1.task_spec_pb2 import Accelerator, ImageSpec, ResourceRequest, TaskSpec
from flyteplane.cluster.pods import refuse_unfit_pod
from flyteplane.cluster.ports import PodConstraints
from flyteplane.foundation.errors import InvalidArgument

UNFIT: list[tuple[TaskSpec, str]] = [
    (task(env={"FLYTE_WORKER_TOKEN": "x"}), "env_vars"),
    (task(env={"FLYTE_RUN_NAME": "x"}), "env_vars"),
    (task(image=ImageSpec(uri="x", env={"FLYTE_WORKER_NAME": "x"})), "image.env_vars"),
    (task(image=ImageSpec(system_packages=["curl"])), "image"),
    (task(service_account="foreign"), "service_account"),
    (task(resources=ResourceRequest(cpu="2", cpu_limit="1")), "resources.cpu"),
    (task(resources=ResourceRequest(accelerator=Accelerator(device_class="QPU", quantity=1))), "resources.gpu"),
    (task(by_value({"hostNetwork": True})), "pod_template.spec.hostNetwork"),
    (task(by_value({"nope": 1})), "pod_template.spec.nope"),
    (task(by_value(labels={"flyteplane.dev/run": "x"})), "pod_template.metadata.labels"),
    (
        task(
            by_value(
                {
                    "containers": [{"name": "primary", "volumeMounts": [{"name": "v", "mountPath": "/dev/shm"}]}],
                    "volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}],
                }
            ),
            resources=ResourceRequest(shared_memory="1Gi"),
        ),
        "resources.shm",
    ),
]


@pytest.mark.parametrize(("unfit", "field"), UNFIT, ids=[field for _, field in UNFIT])
def test_a_task_that_can_never_become_a_pod_is_refused_when_it_is_submitted(unfit: TaskSpec, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        refuse_unfit_pod(unfit, PodConstraints())
    assert refused.value.field == field
    assert refused.value.mend


@pytest.mark.parametrize(
    "fit",
    [
        task(),
        task(by_value({"containers": [{"name": "primary"}, {"name": "side", "image": "x"}]})),
        task(by_name("kept-in-the-cluster")),
        task(image=ImageSpec(python_packages=["numpy"])),
        task(image=ImageSpec(uri="mine:1", python_packages=["numpy"], system_packages=["curl"])),
        task(env={"MODEL": "xl", "PATH": "/opt/bin"}),
        task(interruptible=True),
    ],
    ids=str,
)
def test_a_task_that_may_become_a_pod_passes(fit: TaskSpec) -> None:
    refuse_unfit_pod(fit, PodConstraints())


def test_the_resource_class_decides_what_is_allowed() -> None:
    privileged = task(by_value({"hostNetwork": True}), service_account="trainer")
    refuse_unfit_pod(privileged, EVERYTHING)
    with pytest.raises(InvalidArgument):
        refuse_unfit_pod(privileged, PodConstraints(service_accounts=("trainer",)))


@pytest.mark.parametrize(
    ("unfit", "operator"),
    [
        (task(by_value({"volumes": [{"name": "v", "secret": {}}]})), {"shared_namespace": True}),
        (task(by_value({"securityContext": {"runAsUser": 0}})), {"require_non_root": True}),
        (
            task(by_value({"nodeSelector": {"life": "long"}}), interruptible=True),
            {"spot_node_selector": {"life": "short"}},
        ),
        (
            task(resources=ResourceRequest(accelerator=Accelerator(device_class="GPU", quantity=1))),
            {"devices": {}},
        ),
    ],
    ids=["secrets of others", "root", "spot nodes", "devices"],
)
def test_what_depends_on_the_operators_configuration_is_judged_where_it_is_known(
    unfit: TaskSpec, operator: dict[str, Any]
) -> None:
    refuse_unfit_pod(unfit, PodConstraints())
    with pytest.raises(InvalidArgument) as refused:
        refuse_unfit_pod(unfit, PodConstraints(), surroundings=surroundings(**operator))
    assert refused.value.mend


def test_a_stored_template_is_judged_where_it_is_at_hand() -> None:
    unfit = task(by_name())
    with pytest.raises(InvalidArgument):
        refuse_unfit_pod(unfit, PodConstraints(), named_template=stored({"hostPID": True}))
