"""What a pod takes of its class and quota: all of its containers."""

from typing import Any

import pytest
from tests.cluster.pods.sample import by_name, by_value, stored

from flyteapi.task.v1.task_spec_pb2 import Accelerator, ResourceRequest
from flyteplane.cluster.pods.demand import PodDemand, pod_demand
from flyteplane.foundation.errors import InvalidArgument

GIB = 2**30


def _container(name: str, **requests: Any) -> dict[str, Any]:
    return {"name": name, "image": "x", "resources": {"requests": requests}}


def test_without_a_template_a_pod_takes_what_the_task_asks() -> None:
    asked = ResourceRequest(cpu="2", memory="1Gi", accelerator=Accelerator(device_class="GPU", quantity=2))
    assert pod_demand(asked) == PodDemand(cpu_millis=2000, memory_bytes=GIB, devices={"nvidia.com/gpu": 2})
    assert pod_demand(ResourceRequest()) == PodDemand()


def test_sidecars_count() -> None:
    template = by_value({"containers": [{"name": "primary"}, _container("side", cpu="64", memory="2Gi")]})
    assert pod_demand(ResourceRequest(cpu="1"), template) == PodDemand(cpu_millis=65_000, memory_bytes=2 * GIB)


def test_the_template_counts_where_the_task_leaves_a_resource_open() -> None:
    template = by_value({"containers": [_container("primary", cpu="8", memory="4Gi")]})
    assert pod_demand(ResourceRequest(cpu="1"), template) == PodDemand(cpu_millis=1000, memory_bytes=4 * GIB)


def test_a_limit_alone_counts_as_request() -> None:
    template = by_value({"containers": [{"name": "primary", "resources": {"limits": {"nvidia.com/gpu": 8}}}]})
    assert pod_demand(ResourceRequest(), template).devices == {"nvidia.com/gpu": 8}


def test_the_largest_init_container_counts_if_it_is_larger_than_all_that_runs_later() -> None:
    template = by_value(
        {
            "containers": [_container("primary", cpu="1", memory="1Gi")],
            "initContainers": [_container("a", cpu="4"), _container("b", cpu="3", memory="100Mi")],
        }
    )
    assert pod_demand(ResourceRequest(), template) == PodDemand(cpu_millis=4000, memory_bytes=GIB)


def test_a_stored_template_counts_where_it_is_at_hand() -> None:
    named = stored({"containers": [_container("primary"), _container("side", cpu="3")]})
    assert pod_demand(ResourceRequest(cpu="1"), by_name()).cpu_millis == 1000
    assert pod_demand(ResourceRequest(cpu="1"), by_name(), named_template=named).cpu_millis == 4000


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        pod_demand(ResourceRequest(), by_value({"containers": 5}))
    with pytest.raises(InvalidArgument):
        pod_demand(ResourceRequest(cpu="much"))
