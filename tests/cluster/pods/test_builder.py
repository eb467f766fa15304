"""The pod of a worker: the template is the base, the platform's part stands over it, everything else stays."""

import copy
from typing import Any

import pytest
from tests.cluster.pods.sample import (
    DEFAULT_IMAGE,
    EVERYTHING,
    TOKEN,
    WORKER,
    built,
    by_name,
    by_value,
    environment,
    primary,
    request,
    stored,
    surroundings,
    worker,
)
from tests.cluster.pods.structure import assert_safe, assert_well_formed

from flyteapi.task.v1.task_spec_pb2 import ImageSpec
from flyteplane.cluster.pods import build_pod
from flyteplane.cluster.pods.builder import COMMAND
from flyteplane.cluster.ports import PodConstraints, WorkerSpec
from flyteplane.foundation.errors import InvalidArgument, NotFound

RICH: dict[str, Any] = {
    "containers": [
        {
            "name": "primary",
            "image": "template/primary:1",
            "command": ["sleep"],
            "args": ["1"],
            "env": [
                {"name": "MODE", "value": "fast"},
                {"name": "CPUS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            ],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            "workingDir": "/work",
            "livenessProbe": {"exec": {"command": ["true"]}},
        },
        {"name": "proxy", "image": "proxy:2", "ports": [{"containerPort": 8080}]},
    ],
    "initContainers": [{"name": "fetch", "image": "fetch:1", "volumeMounts": [{"name": "data", "mountPath": "/in"}]}],
    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "shared"}}],
    "affinity": {"podAffinity": {}},
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}],
    "terminationGracePeriodSeconds": 60,
    "topologySpreadConstraints": [{"maxSkew": 1}],
}


def test_a_task_without_a_template_gets_a_plain_safe_pod() -> None:
    pod = built()
    assert_well_formed(pod)
    assert_safe(pod)
    (container,) = pod["spec"]["containers"]
    assert container["name"] == "primary"
    assert container["image"] == DEFAULT_IMAGE
    assert container["command"] == list(COMMAND)
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 10
    assert pod["spec"]["enableServiceLinks"] is False
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_a_worker_is_told_where_to_report_and_who_it_is() -> None:
    assert environment(primary(built())) == {
        "FLYTE_WORKER_ENDPOINTS": "scheduler-0:9443,scheduler-1:9443",
        "FLYTE_WORKER_NAME": WORKER,
        "FLYTE_WORKER_CONTACT_S": "15",
        "FLYTE_WORKER_TOKEN": TOKEN,
    }


def test_a_worker_is_told_by_whom_its_listener_is_vouched_for() -> None:
    given = surroundings(worker_authorities="-----BEGIN CERTIFICATE-----\n")
    for spec in (worker(), worker(replica=True)):
        told = environment(primary(build_pod(spec, surroundings=given)))
        assert told["FLYTE_WORKER_CA"] == "-----BEGIN CERTIFICATE-----\n"


def test_a_replica_is_told_where_its_pool_is_as_well() -> None:
    """Its pool gives it attempts, and the schedulers have the data of these."""
    given = surroundings(replica_endpoints=("pool-0:9444", "pool-1:9444"))
    told = environment(primary(build_pod(worker(replica=True), surroundings=given)))
    assert told["FLYTE_WORKER_REPLICA"] == "1"
    assert told["FLYTE_REPLICA_ENDPOINTS"] == "pool-0:9444,pool-1:9444"
    assert told["FLYTE_WORKER_ENDPOINTS"] == "scheduler-0:9443,scheduler-1:9443"


def test_a_pool_that_listens_where_the_schedulers_do_needs_no_endpoints_of_its_own() -> None:
    told = environment(primary(build_pod(worker(replica=True), surroundings=surroundings())))
    assert told["FLYTE_REPLICA_ENDPOINTS"] == told["FLYTE_WORKER_ENDPOINTS"]


def test_everything_of_a_template_that_is_not_the_platforms_stays() -> None:
    pod = built(by_value(RICH))
    assert_well_formed(pod)
    spec, container = pod["spec"], primary(pod)
    for name in ("affinity", "hostAliases", "terminationGracePeriodSeconds", "topologySpreadConstraints"):
        assert spec[name] == RICH[name]
    assert RICH["volumes"][0] in spec["volumes"]
    assert [c["name"] for c in spec["containers"]] == ["primary", "proxy"]
    assert spec["containers"][1]["ports"] == [{"containerPort": 8080}]
    assert spec["initContainers"][0]["volumeMounts"] == [{"name": "data", "mountPath": "/in"}]
    assert container["workingDir"] == "/work"
    assert container["livenessProbe"] == {"exec": {"command": ["true"]}}
    assert {"name": "data", "mountPath": "/data"} in container["volumeMounts"]
    assert environment(container)["MODE"] == "fast"
    assert environment(container)["CPUS"] == {"resourceFieldRef": {"resource": "limits.cpu"}}


def test_the_command_of_the_primary_container_is_the_platforms() -> None:
    container = primary(built(by_value(RICH)))
    assert container["command"] == list(COMMAND)
    assert "args" not in container


def test_the_token_is_seen_by_the_primary_container_only() -> None:
    pod = built(by_value(RICH))
    others = [c for c in (*pod["spec"]["containers"], *pod["spec"]["initContainers"]) if c["name"] != "primary"]
    assert TOKEN not in str(others)
    assert "flyte-secrets" not in str(others)
    assert str(pod).count(TOKEN) == 1


@pytest.mark.parametrize(
    ("task_image", "template_image", "image"),
    [
        ("task:1", "template:1", "task:1"),
        ("", "template:1", "template:1"),
        ("task:1", "", "task:1"),
        ("", "", DEFAULT_IMAGE),
    ],
)
def test_the_tasks_image_goes_before_the_templates_before_the_default(
    task_image: str, template_image: str, image: str
) -> None:
    template = by_value({"containers": [{"name": "primary", "image": template_image}]})
    assert primary(built(template, image=ImageSpec(uri=task_image)))["image"] == image


def test_a_primary_container_of_another_name_is_found() -> None:
    pod = built(by_value({"containers": [{"name": "side", "image": "x"}, {"name": "main"}]}, primary="main"))
    assert primary(pod, "main")["image"] == DEFAULT_IMAGE
    assert pod["metadata"]["annotations"]["flyteplane.dev/primary-container"] == "main"


def test_variables_that_act_before_the_program_stand_in_the_pod_and_no_others() -> None:
    env = {"PYTHONPATH": "/code/$(HOME)", "PATH": "/opt/bin:$PATH", "LC_ALL": "C.UTF-8", "MODEL": "xl", "HOME": "/x"}
    pod = build_pod(worker(env=env), surroundings=surroundings())
    found = environment(primary(pod))
    assert found["PYTHONPATH"] == "/code/$$(HOME)"
    assert found["PATH"] == "/opt/bin:$$PATH"
    assert found["LC_ALL"] == "C.UTF-8"
    assert not {"MODEL", "HOME"} & found.keys()


def test_the_operators_variables_win_over_the_templates_and_the_platforms_over_all() -> None:
    reference = {"secretKeyRef": {"name": "store", "key": "id"}}
    extra = ({"name": "MODE", "valueFrom": reference}, {"name": "FLYTE_WORKER_TOKEN", "value": "stolen"})
    pod = build_pod(worker(request(by_value(RICH))), surroundings=surroundings(extra_env=extra))
    assert environment(primary(pod))["MODE"] == reference
    assert environment(primary(pod))["FLYTE_WORKER_TOKEN"] == TOKEN
    names = [variable["name"] for variable in primary(pod)["env"]]
    assert len(names) == len(set(names))


def test_image_pull_secrets_of_operator_and_template_are_put_together() -> None:
    template = by_value({"imagePullSecrets": [{"name": "mine"}, {"name": "shared"}]})
    pod = build_pod(worker(request(template)), surroundings=surroundings(image_pull_secrets=("shared", "platform")))
    assert pod["spec"]["imagePullSecrets"] == [{"name": "mine"}, {"name": "shared"}, {"name": "platform"}]


def test_the_operators_pull_policy_goes_before_the_templates() -> None:
    template = by_value({"containers": [{"name": "primary", "imagePullPolicy": "Always"}]})
    assert primary(built(template))["imagePullPolicy"] == "Always"
    never = build_pod(worker(request(template)), surroundings=surroundings(image_pull_policy="Never"))
    assert primary(never)["imagePullPolicy"] == "Never"


def test_secret_files_lie_in_memory() -> None:
    pod = built(secret_files=True)
    (volume,) = pod["spec"]["volumes"]
    assert volume == {"name": "flyte-secrets", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}
    assert primary(pod)["volumeMounts"] == [{"name": "flyte-secrets", "mountPath": "/etc/flyte/secrets"}]


def test_a_pod_without_need_of_volumes_has_none_and_so_starts_at_once() -> None:
    pod = built()
    assert not pod["spec"].get("volumes")
    assert not primary(pod).get("volumeMounts")


def test_a_read_only_container_can_still_write_temporary_files() -> None:
    read_only = {"name": "primary", "securityContext": {"readOnlyRootFilesystem": True}}
    assert {"name": "flyte-tmp", "mountPath": "/tmp"} in primary(built(by_value({"containers": [read_only]})))[
        "volumeMounts"
    ]
    own = {**read_only, "volumeMounts": [{"name": "scratch", "mountPath": "/tmp/"}]}
    pod = built(by_value({"containers": [own], "volumes": [{"name": "scratch", "emptyDir": {}}]}))
    assert "flyte-tmp" not in str(pod)


def test_a_template_may_tighten_security() -> None:
    context = {
        "runAsUser": 1000,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "Localhost", "localhostProfile": "x"},
    }
    container = {
        "name": "primary",
        "securityContext": {"readOnlyRootFilesystem": True, "capabilities": {"drop": ["KILL"]}},
    }
    pod = built(by_value({"securityContext": context, "containers": [container]}))
    assert pod["spec"]["securityContext"] == context
    assert primary(pod)["securityContext"]["readOnlyRootFilesystem"] is True
    assert primary(pod)["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_class_that_allows_privileges_leaves_the_templates_word() -> None:
    container = {"name": "primary", "securityContext": {"privileged": True}}
    pod = built(by_value({"containers": [container], "hostNetwork": True}), constraints=EVERYTHING)
    assert primary(pod)["securityContext"] == {"privileged": True}
    assert pod["spec"]["hostNetwork"] is True
    fuse = {"capabilities": {"add": ["SYS_ADMIN"]}}
    template = by_value({"containers": [{"name": "primary", "securityContext": fuse}]})
    kept = primary(built(template, constraints=EVERYTHING))["securityContext"]
    assert kept == {**fuse, "seccompProfile": {"type": "RuntimeDefault"}}


def test_the_system_calls_of_every_container_are_filtered_and_the_empty_sandbox_is_not() -> None:
    pod = built(by_value(RICH))
    each = [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]
    assert {c["securityContext"]["seccompProfile"]["type"] for c in each} == {"RuntimeDefault"}
    assert "seccompProfile" not in pod["spec"]["securityContext"]


def test_a_filter_that_a_template_names_for_the_pod_is_its_containers_own() -> None:
    strict = {"type": "Localhost", "localhostProfile": "strict.json"}
    pod = built(by_value({"securityContext": {"seccompProfile": strict}, "containers": [{"name": "primary"}]}))
    assert pod["spec"]["securityContext"]["seccompProfile"] == strict
    assert "seccompProfile" not in primary(pod)["securityContext"]


def test_a_cluster_that_refuses_root_says_so_in_every_pod() -> None:
    pod = build_pod(worker(), surroundings=surroundings(require_non_root=True))
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize(
    ("template", "constraints", "account", "token"),
    [
        ({}, PodConstraints(), "", False),
        ({}, PodConstraints(service_accounts=("trainer",)), "trainer", False),
        ({}, EVERYTHING, "", False),
        ({}, EVERYTHING, "trainer", True),
        ({"automountServiceAccountToken": True}, EVERYTHING, "", True),
        ({"automountServiceAccountToken": False}, EVERYTHING, "trainer", False),
    ],
)
def test_a_service_accounts_token_needs_a_class_that_allows_it_and_someone_who_wants_it(
    template: dict[str, Any], constraints: PodConstraints, account: str, token: bool
) -> None:
    pod = built(by_value(template), constraints=constraints, service_account=account)
    assert pod["spec"]["automountServiceAccountToken"] is token
    assert pod["spec"].get("serviceAccountName", "") == account


def test_the_old_name_of_the_service_account_field_is_understood() -> None:
    pod = built(by_value({"serviceAccount": "trainer"}), constraints=EVERYTHING)
    assert pod["spec"]["serviceAccountName"] == "trainer"
    assert "serviceAccount" not in pod["spec"]


def test_two_service_accounts_are_refused() -> None:
    with pytest.raises(InvalidArgument) as refused:
        built(by_value({"serviceAccountName": "default"}), constraints=EVERYTHING, service_account="trainer")
    assert refused.value.field == "service_account"


def test_a_stored_template_is_taken_without_what_the_server_wrote_into_it() -> None:
    template = stored({"containers": [{"name": "worker", "image": "any:latest", "imagePullPolicy": "Always"}]})
    pod = built(by_name(), named=template, image=ImageSpec(uri="task:1"))
    assert_well_formed(pod)
    (container,) = pod["spec"]["containers"]
    assert (container["name"], container["image"]) == ("worker", "task:1")
    assert "imagePullPolicy" not in container
    assert pod["spec"]["terminationGracePeriodSeconds"] == 30


def test_a_stored_template_without_a_primary_container_gets_one_beside_its_own() -> None:
    sidecars = [{"name": name, "image": "x"} for name in ("logs", "proxy")]
    pod = built(by_name(), named=stored({"containers": sidecars}))
    assert [c["name"] for c in pod["spec"]["containers"]] == ["primary", "logs", "proxy"]


def test_a_template_that_is_not_in_the_cluster_is_not_found() -> None:
    with pytest.raises(NotFound) as missing:
        built(by_name("absent"))
    assert "absent" in missing.value.message
    assert missing.value.mend


def test_a_worker_that_asks_for_no_pod_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        build_pod(WorkerSpec(name="w"), surroundings=surroundings())


def test_the_same_worker_gives_the_same_pod_and_nothing_given_is_changed() -> None:
    named = stored(RICH)
    before = copy.deepcopy(named)
    one, other = built(by_name(), named=named), built(by_name(), named=named)
    assert one == other
    assert named == before
    one["spec"]["containers"][0]["env"].clear()
    assert built(by_name(), named=named) == other
