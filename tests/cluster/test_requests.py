"""What scheduler and reuse pool ask of clusters in common: room, constraints, limits, quota, why a worker ended."""

from __future__ import annotations

import json

import pytest

from flyte.spec import worker_exits
from flyteapi.scheduler.v1.resource_class_service_pb2 import ResourceClass
from flyteapi.task.v1.task_spec_pb2 import Accelerator, PodTemplate, ResourceRequest, SecretRequest, TaskSpec
from flyteplane.cluster.agent_exits import reason_of_exit
from flyteplane.cluster.demand import DEFAULT_CPU_MILLIS, WorkerDemand, worker_demand
from flyteplane.cluster.pool_quota import most_replicas, refuse_beyond_quota
from flyteplane.cluster.ports import ExitReason, PodConstraints, WorkerExit
from flyteplane.cluster.requests import constraints_of, pod_request, worker_limits
from flyteplane.foundation.errors import InvalidArgument

GIB = 2**30


def test_a_worker_occupies_what_its_task_asks_for() -> None:
    resources = ResourceRequest(cpu="500m", memory="2Gi")
    resources.accelerator.CopyFrom(Accelerator(device_class="GPU", device="A100", quantity=2))
    assert worker_demand(TaskSpec(resources=resources)) == (500, 2 * GIB, (("GPU/A100", 2),))


def test_a_task_that_asks_for_nothing_counts_a_little() -> None:
    assert worker_demand(TaskSpec()) == WorkerDemand(DEFAULT_CPU_MILLIS)


def test_the_sidecars_of_a_template_count() -> None:
    proxy = {"name": "proxy", "image": "proxy:1", "resources": {"requests": {"cpu": "2"}}}
    document = json.dumps({"spec": {"containers": [{"name": "primary"}, proxy]}})
    template = PodTemplate(pod_template_json=document, primary_container="primary")
    spec = TaskSpec(resources=ResourceRequest(cpu="1"), pod_template=template)
    assert worker_demand(spec).cpu_millis == 3000


def test_the_constraints_of_a_class_are_those_of_its_pods() -> None:
    shape = ResourceClass(
        name="gpu",
        node_selector={"pool": "gpu"},
        tolerations_json='[{"key": "gpu", "operator": "Exists"}]',
        priority_class="high",
        allow_host_paths=True,
        service_accounts=["trainer"],
    )
    assert constraints_of(shape) == PodConstraints(
        node_selector={"pool": "gpu"},
        tolerations=[{"key": "gpu", "operator": "Exists"}],
        priority_class="high",
        allow_host_paths=True,
        service_accounts=("trainer",),
    )
    assert constraints_of(None) == PodConstraints()


def test_the_task_names_its_service_account_before_anyone_else() -> None:
    spec = TaskSpec(secrets=[SecretRequest(key="k", mount_path="/etc/flyte/secrets")])
    given = pod_request(spec, constraints=PodConstraints(), interruptible=True, service_account="of-the-run")
    assert (given.service_account, given.secret_files, given.interruptible) == ("of-the-run", True, True)
    spec.service_account = "own"
    given = pod_request(spec, constraints=PodConstraints(), interruptible=False, service_account="of-the-run")
    assert given.service_account == "own"


def test_a_process_is_limited_to_its_limits_and_else_to_its_requests() -> None:
    assert worker_limits(ResourceRequest(cpu="1", cpu_limit="2", memory="1Gi")) == (2000, GIB)
    assert worker_limits(ResourceRequest()) == (0, 0)
    with pytest.raises(InvalidArgument):
        worker_limits(ResourceRequest(cpu="much"))


@pytest.mark.parametrize(
    ("cpu", "memory", "most"),
    [(0, 0, None), (4000, 0, 4), (0, 5 * GIB, 2), (4000, 5 * GIB, 2), (999, 0, 0)],
)
def test_a_quota_holds_so_many_replicas(cpu: int, memory: int, most: int | None) -> None:
    quota = ResourceClass(name="narrow", quota_cpu_millis=cpu, quota_memory_bytes=memory)
    demand = WorkerDemand(1000, 2 * GIB)
    assert most_replicas(quota, demand) == most
    if most is not None:
        refuse_beyond_quota(quota, demand, replicas=most, field="max_replicas")
        with pytest.raises(InvalidArgument) as refused:
            refuse_beyond_quota(quota, demand, replicas=most + 1, field="max_replicas")
        assert (refused.value.field, refused.value.limit) == ("max_replicas", f"{most} replicas")
        assert "narrow" in refused.value.message
        assert refused.value.mend


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (worker_exits.OUT_OF_CONTACT, ExitReason.CUT_OFF),
        (worker_exits.ATTEMPT_OVER, ExitReason.STOPPED),
        (worker_exits.REFUSED, ExitReason.STOPPED),
        (1, ExitReason.ENDED),
    ],
)
def test_the_codes_of_a_pods_agent_have_a_meaning_that_those_of_a_process_have_not(
    code: int, reason: ExitReason
) -> None:
    ended = WorkerExit(name="w", exit_code=code)
    assert reason_of_exit(ended, is_pod=True) is reason
    assert reason_of_exit(ended, is_pod=False) is ExitReason.ENDED
