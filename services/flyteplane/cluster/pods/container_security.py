"""What one container of a template may not do, and what every container gets for its safety."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flyte.spec.environment_variables import reserved_for_platform
from flyteplane.cluster.pods.refusals import forbidden
from flyteplane.cluster.ports import PodConstraints

_PLATFORM_PREFIX: Final = "FLYTE_WORKER_"
_HARMLESS_CAPABILITIES: Final = frozenset({"NET_BIND_SERVICE"})
_HARMLESS_SELINUX_TYPES: Final = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})
_PRIVILEGED_MEND: Final = "Leave it out, or ask the operator for a resource class that allows it (allow_privileged)."


def reserved_variable(name: str) -> bool:
    """Whether only the platform may set a variable in a worker's pod."""
    return reserved_for_platform(name) or name.startswith(_PLATFORM_PREFIX)


def refuse_container(
    container: Mapping[str, Any], constraints: PodConstraints, *, path: str, require_non_root: bool
) -> None:
    """Raises InvalidArgument for the first thing of a container that the class does not let it do."""
    for variable in container.get("env", ()):
        if reserved_variable(variable["name"]):
            raise forbidden(
                f"{path}: the variable {variable['name']} is set by the platform only",
                field=f"{path}.env",
                mend="Choose another name.",
            )
    _refuse_host_access(container, path=path, allowed=constraints.allow_privileged)
    context = container.get("securityContext", {})
    refuse_security_context(context, constraints, path=f"{path}.securityContext", require_non_root=require_non_root)
    if not constraints.allow_privileged:
        _refuse_privileges(context, path=f"{path}.securityContext")


def refuse_security_context(
    context: Mapping[str, Any], constraints: PodConstraints, *, path: str, require_non_root: bool
) -> None:
    """Raises InvalidArgument for what pod and container have in common: user, profiles, SELinux."""
    if require_non_root and (context.get("runAsNonRoot") is False or context.get("runAsUser") == 0):
        raise forbidden(
            f"{path} runs as root, which this cluster refuses",
            field=f"{path}.runAsNonRoot",
            mend="Set runAsUser to another number, or leave it to the image.",
        )
    if constraints.allow_privileged:
        return
    for profile in ("seccompProfile", "appArmorProfile"):
        if context.get(profile, {}).get("type") == "Unconfined":
            raise forbidden(f"{path} gives up its {profile}", field=f"{path}.{profile}", mend=_PRIVILEGED_MEND)
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type", "") not in _HARMLESS_SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        raise forbidden(f"{path} changes its SELinux identity", field=f"{path}.seLinuxOptions", mend=_PRIVILEGED_MEND)


def hardened(
    container: Mapping[str, Any], constraints: PodConstraints, *, pod_has_profile: bool = False
) -> dict[str, Any]:
    """The container without privileges, as far as the class does not allow them. Doing it twice changes nothing.

    Args:
        pod_has_profile: the pod as a whole names a seccomp profile, which is the container's unless it has its own.
    """
    context = dict(container.get("securityContext", {}))
    if context.get("privileged"):
        return dict(container)
    if not pod_has_profile:
        # Here and not for the pod as a whole: that would compile the filter once more, for the pod's empty sandbox,
        # which takes runc some 25 ms of every start.
        context.setdefault("seccompProfile", {"type": "RuntimeDefault"})
    capabilities = context.get("capabilities", {})
    if not constraints.allow_privileged or not capabilities:
        context["capabilities"] = {**capabilities, "drop": ["ALL"]}
    # Kubernetes refuses a container with CAP_SYS_ADMIN that says that it cannot gain privileges.
    if "SYS_ADMIN" not in {_capability(name) for name in capabilities.get("add", ())}:
        context.setdefault("allowPrivilegeEscalation", False)
    return {**container, "securityContext": context}


def _refuse_privileges(context: Mapping[str, Any], *, path: str) -> None:
    for name in ("privileged", "allowPrivilegeEscalation"):
        if context.get(name):
            raise forbidden(
                f"{path} asks for more rights than a task has", field=f"{path}.{name}", mend=_PRIVILEGED_MEND
            )
    added = context.get("capabilities", {}).get("add", ())
    if not {_capability(name) for name in added} <= _HARMLESS_CAPABILITIES:
        raise forbidden(
            f"{path} adds the capabilities {', '.join(added)}",
            field=f"{path}.capabilities.add",
            mend=_PRIVILEGED_MEND,
        )
    if context.get("procMount", "Default") != "Default":
        raise forbidden(f"{path} unmasks /proc", field=f"{path}.procMount", mend=_PRIVILEGED_MEND)


def _refuse_host_access(container: Mapping[str, Any], *, path: str, allowed: bool) -> None:
    if allowed:
        return
    for position, port in enumerate(container.get("ports", ())):
        if port.get("hostPort") or port.get("hostIP"):
            raise forbidden(
                f"{path} takes a port of the node", field=f"{path}.ports[{position}].hostPort", mend=_PRIVILEGED_MEND
            )
    for position, mount in enumerate(container.get("volumeMounts", ())):
        if mount.get("mountPropagation", "None") == "Bidirectional":
            raise forbidden(
                f"{path} mounts into the node",
                field=f"{path}.volumeMounts[{position}].mountPropagation",
                mend=_PRIVILEGED_MEND,
            )
    probes = {name: container.get(name, {}) for name in ("livenessProbe", "readinessProbe", "startupProbe")}
    for name, handler in (*probes.items(), *container.get("lifecycle", {}).items()):
        # A host in a probe lets the kubelet reach, from the node's network, what the pod itself cannot.
        if isinstance(handler, Mapping) and any(handler.get(kind, {}).get("host") for kind in ("httpGet", "tcpSocket")):
            raise forbidden(
                f"{path}.{name} names a host",
                field=f"{path}.{name}",
                mend="Leave the host out: the probe then asks the pod.",
            )


def _capability(name: str) -> str:
    return name.upper().removeprefix("CAP_")
