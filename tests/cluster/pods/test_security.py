"""What no template may do: refused with field and mend, unless the resource class allows it."""

from typing import Any

import pytest
from tests.cluster.pods.sample import EVERYTHING, built, by_name, by_value, request, stored, surroundings, worker

from flyteplane.cluster.pods import build_pod
from flyteplane.foundation.errors import InvalidArgument


def _container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "primary", **fields}]}


def _context(**fields: Any) -> dict[str, Any]:
    return _container(securityContext=fields)


def _volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **source}]}


ALLOWED_BY_A_CLASS = [
    {"hostNetwork": True},
    {"hostPID": True},
    {"hostIPC": True},
    {"shareProcessNamespace": True},
    _volume(hostPath={"path": "/"}),
    _volume(nfs={"server": "x", "path": "/"}),
    _volume(gitRepo={"repository": "x"}),
    _volume(projected={"sources": [{"configMap": {"name": "x"}}, {"serviceAccountToken": {"path": "token"}}]}),
    {"automountServiceAccountToken": True},
    {"serviceAccountName": "trainer"},
    {"serviceAccount": "trainer"},
    _context(privileged=True),
    _context(allowPrivilegeEscalation=True),
    _context(capabilities={"add": ["SYS_ADMIN"]}),
    _context(capabilities={"add": ["NET_BIND_SERVICE", "CAP_NET_ADMIN"]}),
    _context(procMount="Unmasked"),
    _context(seccompProfile={"type": "Unconfined"}),
    _context(appArmorProfile={"type": "Unconfined"}),
    _context(seLinuxOptions={"type": "spc_t"}),
    _context(seLinuxOptions={"user": "system_u"}),
    {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    _container(ports=[{"containerPort": 80, "hostPort": 80}]),
    _container(ports=[{"containerPort": 80, "hostIP": "0.0.0.0"}]),
    _container(livenessProbe={"httpGet": {"host": "169.254.169.254", "port": 80}}),
    _container(lifecycle={"postStart": {"tcpSocket": {"host": "10.0.0.1", "port": 80}}}),
    {
        **_volume(emptyDir={}),
        **_container(volumeMounts=[{"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}]),
    },
]

NEVER_ALLOWED = [
    {"nodeName": "node-1"},
    {"activeDeadlineSeconds": 5},
    {"ephemeralContainers": [{"name": "debug"}]},
    {"schedulingGates": [{"name": "wait"}]},
    {"preemptionPolicy": "Never"},
    {"restartPolicy": "OnFailure"},
    {"os": {"name": "windows"}},
    {"serviceAccountName": "foreign"},
    _container(env=[{"name": "FLYTE_WORKER_TOKEN", "value": "mine"}]),
    _container(env=[{"name": "FLYTE_RUN_NAME", "value": "mine"}]),
    _container(env=[{"name": "_FLYTE_X", "value": "mine"}]),
    {**_volume(emptyDir={}), **_container(volumeMounts=[{"name": "v", "mountPath": "/etc/flyte/secrets"}])},
    {**_volume(emptyDir={}), **_container(volumeMounts=[{"name": "v", "mountPath": "/etc//flyte/./"}])},
    {"volumes": [{"name": "flyte-secrets", "emptyDir": {}}]},
    {"tolerations": [{"operator": "Exists", "effect": "NoSchedule"}]},
]


@pytest.mark.parametrize("spec", [*ALLOWED_BY_A_CLASS, *NEVER_ALLOWED], ids=str)
def test_a_template_that_reaches_for_more_is_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        built(by_value(spec))
    assert refused.value.field.startswith("pod_template.spec.")
    assert refused.value.mend


@pytest.mark.parametrize("spec", ALLOWED_BY_A_CLASS, ids=str)
def test_a_resource_class_may_allow_it(spec: dict[str, Any]) -> None:
    assert built(by_value(spec), constraints=EVERYTHING)


@pytest.mark.parametrize("spec", NEVER_ALLOWED, ids=str)
def test_what_is_the_platforms_no_class_allows(spec: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        built(by_value(spec), constraints=EVERYTHING)


@pytest.mark.parametrize("spec", ALLOWED_BY_A_CLASS, ids=str)
def test_a_stored_template_is_judged_alike(spec: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        built(by_name(), named=stored(spec))


@pytest.mark.parametrize("kind", ["containers", "initContainers"])
def test_sidecars_and_init_containers_are_judged_like_the_primary(kind: str) -> None:
    other = {"name": "other", "image": "x", "securityContext": {"privileged": True}}
    spec: dict[str, Any] = {"containers": [{"name": "primary"}]}
    spec.setdefault(kind, []).append(other)
    with pytest.raises(InvalidArgument) as refused:
        built(by_value(spec))
    assert refused.value.field.endswith("securityContext.privileged")
    assert kind in refused.value.field


@pytest.mark.parametrize(
    "spec",
    [
        _volume(configMap={"name": "x"}),
        _volume(persistentVolumeClaim={"claimName": "x"}),
        _volume(secret={"secretName": "x"}),
        _volume(csi={"driver": "secrets-store.csi.k8s.io"}),
        _volume(projected={"sources": [{"downwardAPI": {}}]}),
        _context(capabilities={"add": ["NET_BIND_SERVICE"]}),
        _context(runAsUser=0),
        {"securityContext": {"fsGroup": 100, "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}},
        {"serviceAccountName": "default"},
        {"runtimeClassName": "gvisor"},
        {"restartPolicy": "Never"},
    ],
    ids=str,
)
def test_what_harms_nobody_is_kept(spec: dict[str, Any]) -> None:
    assert built(by_value(spec))


SECRET_REFERENCES = [
    _volume(secret={"secretName": "x"}),
    _volume(projected={"sources": [{"secret": {"name": "x"}}]}),
    _volume(csi={"driver": "x", "nodePublishSecretRef": {"name": "x"}}),
    _container(envFrom=[{"secretRef": {"name": "x"}}]),
    _container(env=[{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}]),
]


@pytest.mark.parametrize("spec", SECRET_REFERENCES, ids=str)
def test_secrets_of_a_shared_namespace_are_read_by_stored_templates_only(spec: dict[str, Any]) -> None:
    shared = surroundings(shared_namespace=True)
    with pytest.raises(InvalidArgument) as refused:
        build_pod(worker(request(by_value(spec))), surroundings=shared)
    assert refused.value.reason == "POD_NOT_ALLOWED"
    assert build_pod(worker(request(by_name())), surroundings=shared, named_template=stored(spec))


@pytest.mark.parametrize("context", [{"runAsUser": 0}, {"runAsNonRoot": False}])
def test_a_cluster_that_refuses_root_refuses_templates_that_want_it(context: dict[str, Any]) -> None:
    strict = surroundings(require_non_root=True)
    for spec in (_container(securityContext=context), {"securityContext": context}):
        with pytest.raises(InvalidArgument, match="root"):
            build_pod(worker(request(by_value(spec))), surroundings=strict)
