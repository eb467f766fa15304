"""What a template may not do, whoever wrote it: the pod as a whole. Containers are judged in `container_security`.

The measure is the "restricted" profile of Kubernetes' Pod Security Standards. A resource class may allow host paths,
privileged mode, a service account's token and certain service accounts; nothing else lifts a rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flyteplane.cluster.pods.container_security import refuse_container, refuse_security_context
from flyteplane.cluster.pods.refusals import TEMPLATE, forbidden, refusal
from flyteplane.cluster.pods.template import Template, each_container
from flyteplane.cluster.ports import PodConstraints

_SPEC: Final = f"{TEMPLATE}.spec"
_CLASS_MEND: Final = "Leave it out, or ask the operator for a resource class that allows it"

_HARMLESS_VOLUMES: Final = frozenset(
    {
        *("name", "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image"),
        *("persistentVolumeClaim", "projected", "secret"),
    }
)
_HOST_NAMESPACES: Final = ("hostIPC", "hostNetwork", "hostPID")
_PLATFORM_DECIDES: Final = {
    "activeDeadlineSeconds": "Set timeout= on the task.",
    "ephemeralContainers": "Attach them to the running pod instead.",
    "nodeName": "Select nodes with nodeSelector or affinity, which the scheduler of Kubernetes respects.",
    "preemptionPolicy": "The resource class has a priority class.",
    "priority": "The resource class has a priority class.",
    "schedulingGates": "A pod with gates would wait for ever.",
}
_SAFE_SYSCTLS: Final = frozenset(
    {
        *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports"),
        *("net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_syncookies"),
        *("net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"),
        "net.ipv4.tcp_keepalive_time",
    }
)
_PROFILE_ANNOTATIONS: Final = (
    *("seccomp.security.alpha.kubernetes.io/", "container.seccomp.security.alpha.kubernetes.io/"),
    "container.apparmor.security.beta.kubernetes.io/",
)


def refuse_forbidden(
    template: Template,
    constraints: PodConstraints,
    *,
    shared_namespace: bool = False,
    require_non_root: bool = False,
) -> None:
    """Raises InvalidArgument for the first thing of a template that the class does not let it do."""
    spec = template.spec
    _refuse_platforms_own(template, constraints)
    _refuse_host_namespaces(spec, constraints)
    _refuse_token(spec, constraints)
    _refuse_tolerations(spec)
    for position, volume in enumerate(spec.get("volumes", ())):
        _refuse_volume(volume, constraints, path=f"{_SPEC}.volumes[{position}]")
    context = spec.get("securityContext", {})
    _refuse_sysctls(context, constraints)
    refuse_security_context(context, constraints, path=f"{_SPEC}.securityContext", require_non_root=require_non_root)
    for path, container in each_container(spec):
        refuse_container(container, constraints, path=path, require_non_root=require_non_root)
    refuse_profile_annotations(template.annotations, constraints, field=f"{TEMPLATE}.metadata.annotations")
    if shared_namespace and template.by_value:
        _refuse_secret_references(spec)


def refuse_profile_annotations(annotations: Mapping[str, Any], constraints: PodConstraints, *, field: str) -> None:
    """Raises InvalidArgument for the annotations by which older clusters are told a security profile."""
    for key in annotations:
        if key.startswith(_PROFILE_ANNOTATIONS) and not constraints.allow_privileged:
            raise forbidden(
                f"{field}: {key} changes the security profile of a container",
                field=field,
                mend=f"Use securityContext.seccompProfile. {_CLASS_MEND} (allow_privileged).",
            )


def refuse_service_account(name: str, constraints: PodConstraints, *, field: str) -> None:
    """Raises InvalidArgument for a service account that is not among those of the class."""
    if name in ("", "default") or name in constraints.service_accounts:
        return
    known = ", ".join(constraints.service_accounts) or "only the namespace's default one"
    raise forbidden(
        f"the resource class does not let pods run as the service account {name!r} (it has {known})",
        field=field,
        mend="Leave it out, or ask the operator to add it to the service accounts of a resource class.",
    )


def _refuse_platforms_own(template: Template, constraints: PodConstraints) -> None:
    spec = template.spec
    for name, mend in _PLATFORM_DECIDES.items():
        if name in spec:
            raise forbidden(f"{name} is decided by the platform", field=f"{_SPEC}.{name}", mend=mend)
    # The API server writes "Always" into every template that it stores, so there it says nothing of the author's will.
    if template.by_value and spec.get("restartPolicy", "Never") != "Never":
        raise forbidden(
            f"restartPolicy {spec['restartPolicy']!r} cannot be kept: a worker's pod is never restarted",
            field=f"{_SPEC}.restartPolicy",
            mend="Leave it out and set retries= on the task.",
        )
    if spec.get("priorityClassName", "") not in ("", constraints.priority_class):
        raise forbidden(
            f"priorityClassName {spec['priorityClassName']!r} is not the resource class's",
            field=f"{_SPEC}.priorityClassName",
            mend="Leave it out; the resource class and the queue decide priority.",
        )
    if spec.get("os", {}).get("name", "linux") != "linux":
        raise refusal("only Linux can run workers", field=f"{_SPEC}.os", mend="Leave it out.")


def _refuse_host_namespaces(spec: Mapping[str, Any], constraints: PodConstraints) -> None:
    if constraints.allow_privileged:
        return
    for name in _HOST_NAMESPACES:
        if spec.get(name):
            raise forbidden(
                f"{name} opens the node to the pod",
                field=f"{_SPEC}.{name}",
                mend=f"{_CLASS_MEND} (allow_privileged).",
            )
    if spec.get("shareProcessNamespace"):
        raise forbidden(
            "shareProcessNamespace lets other containers read the worker's token",
            field=f"{_SPEC}.shareProcessNamespace",
            mend=f"{_CLASS_MEND} (allow_privileged).",
        )


def _refuse_token(spec: Mapping[str, Any], constraints: PodConstraints) -> None:
    accounts = {spec[key] for key in ("serviceAccountName", "serviceAccount") if spec.get(key)}
    if len(accounts) > 1:
        raise refusal(
            "serviceAccount and serviceAccountName differ",
            field=f"{_SPEC}.serviceAccountName",
            mend="Give serviceAccountName only.",
        )
    for account in accounts:
        refuse_service_account(account, constraints, field=f"{_SPEC}.serviceAccountName")
    if spec.get("automountServiceAccountToken") and not constraints.allow_service_account_token:
        raise forbidden(
            "automountServiceAccountToken gives the pod access to Kubernetes",
            field=f"{_SPEC}.automountServiceAccountToken",
            mend=f"{_CLASS_MEND} (allow_service_account_token).",
        )


def _refuse_tolerations(spec: Mapping[str, Any]) -> None:
    for position, toleration in enumerate(spec.get("tolerations", ())):
        if not toleration.get("key"):
            raise forbidden(
                "a toleration without a key tolerates every node, the control plane's as well",
                field=f"{_SPEC}.tolerations[{position}].key",
                mend="Name the taint that the pod tolerates.",
            )


def _refuse_volume(volume: Mapping[str, Any], constraints: PodConstraints, *, path: str) -> None:
    if len(volume.keys() - {"name"}) > 1:
        raise refusal(
            f"{path} has several sources: {', '.join(sorted(volume.keys() - {'name'}))}",
            field=path,
            mend="Give each volume one source.",
        )
    for source in volume.keys() - _HARMLESS_VOLUMES:
        if not constraints.allow_host_paths:
            raise forbidden(
                f"{path}: a {source} volume reaches beyond the cluster's own storage",
                field=f"{path}.{source}",
                mend=f"Use a persistentVolumeClaim. {_CLASS_MEND} (allow_host_paths).",
            )
    if constraints.allow_service_account_token:
        return
    for position, source in enumerate(volume.get("projected", {}).get("sources", ())):
        if "serviceAccountToken" in source:
            raise forbidden(
                f"{path} projects a service account's token into the pod",
                field=f"{path}.projected.sources[{position}].serviceAccountToken",
                mend=f"{_CLASS_MEND} (allow_service_account_token).",
            )


def _refuse_sysctls(context: Mapping[str, Any], constraints: PodConstraints) -> None:
    for position, sysctl in enumerate(context.get("sysctls", ())):
        if sysctl["name"] not in _SAFE_SYSCTLS and not constraints.allow_privileged:
            raise forbidden(
                f"the sysctl {sysctl['name']} may change the node",
                field=f"{_SPEC}.securityContext.sysctls[{position}]",
                mend=f"{_CLASS_MEND} (allow_privileged).",
            )


def _refuse_secret_references(spec: Mapping[str, Any]) -> None:
    """In a namespace of many projects, a reference to a Secret reads what belongs to another one."""
    for position, volume in enumerate(spec.get("volumes", ())):
        path = f"{_SPEC}.volumes[{position}]"
        sources = volume.get("projected", {}).get("sources", ())
        if "secret" in volume or any("secret" in source for source in sources):
            raise _secret_refusal(path)
        if "nodePublishSecretRef" in volume.get("csi", {}):
            raise _secret_refusal(f"{path}.csi.nodePublishSecretRef")
    for path, container in each_container(spec):
        if any("secretRef" in source for source in container.get("envFrom", ())):
            raise _secret_refusal(f"{path}.envFrom")
        if any("secretKeyRef" in variable.get("valueFrom", {}) for variable in container.get("env", ())):
            raise _secret_refusal(f"{path}.env")


def _secret_refusal(path: str) -> Exception:
    return forbidden(
        f"{path} refers to a Secret of Kubernetes in a namespace that several projects share",
        field=path,
        mend="Use flyte.Secret, a template that the operator keeps in the cluster, or a namespace for each project.",
    )
