"""What a pod needs to mount file systems, or to make sandboxes of its own, as additions to its manifest.

These are requests: a platform refuses them unless the operator's resource class lifts its rules (`allow_privileged`,
`allow_host_paths`), and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_FUSE: Final = "/dev/fuse"
_VOLUME: Final = "fuse-device"


def with_fuse(spec: Mapping[str, Any], *, container: str, privileged: bool) -> dict[str, Any]:
    """Return the pod spec with FUSE for one container: the device and SYS_ADMIN, or all privileges."""
    if privileged:
        return _with_security(spec, container, {"privileged": True})
    added = _with_security(spec, container, {"capabilities": {"add": ["SYS_ADMIN"]}})
    primary = _container(added, container)
    mounts = [mount for mount in primary.get("volumeMounts", []) if mount.get("mountPath") != _FUSE]
    primary["volumeMounts"] = [*mounts, {"name": _VOLUME, "mountPath": _FUSE}]
    volumes = [volume for volume in added.get("volumes", []) if volume.get("name") != _VOLUME]
    return {**added, "volumes": [*volumes, {"name": _VOLUME, "hostPath": {"path": _FUSE, "type": "CharDevice"}}]}


def with_nested_sandboxes(spec: Mapping[str, Any], *, container: str) -> dict[str, Any]:
    """Return the pod spec with what user namespaces inside of one container need: no filter of system calls."""
    unconfined = {"seccompProfile": {"type": "Unconfined"}, "appArmorProfile": {"type": "Unconfined"}}
    return _with_security(spec, container, unconfined)


def _with_security(spec: Mapping[str, Any], container: str, security: Mapping[str, Any]) -> dict[str, Any]:
    containers = [dict(each) for each in spec.get("containers") or []]
    if all(each.get("name") != container for each in containers):
        containers.append({"name": container})
    changed = {**spec, "containers": containers}
    primary = _container(changed, container)
    current = dict(primary.get("securityContext", {}))
    capabilities = {**current.get("capabilities", {}), **security.get("capabilities", {})}
    primary["securityContext"] = {**current, **security, **({"capabilities": capabilities} if capabilities else {})}
    return changed


def _container(spec: Mapping[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in spec["containers"] if each["name"] == name)
    return found
