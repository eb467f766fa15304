"""Volumes that the platform adds to the primary container, and to no other.

Files of secrets lie in memory; `/dev/shm` gets the size that the task asks for; a container whose root file system is
read-only gets a `/tmp` that is not. Memory volumes count against the container's memory limit.

A pod gets none that it does not need: kubelets look only every 300 ms whether a pod's volumes are there, and start one
without volumes at once.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flyteplane.cluster.pods.refusals import TEMPLATE, forbidden, refusal
from flyteplane.cluster.pods.template import Template

SECRETS_FOLDER: Final = "/etc/flyte/secrets"
SHARED_MEMORY: Final = "/dev/shm"
TEMPORARY: Final = "/tmp"
SECRETS_SIZE: Final = "64Mi"

_SECRETS_VOLUME: Final = "flyte-secrets"
_SHARED_VOLUME: Final = "flyte-shm"
_TEMPORARY_VOLUME: Final = "flyte-tmp"
_RESERVED_NAMES: Final = frozenset({_SECRETS_VOLUME, _SHARED_VOLUME, _TEMPORARY_VOLUME})
_PLATFORM_FOLDER: Final = "/etc/flyte"


@dataclass(frozen=True, slots=True)
class _Addition:
    name: str
    path: str
    empty_dir: Mapping[str, Any]


def refuse_storage(template: Template, *, shared_memory: str) -> None:
    """Raises InvalidArgument for volumes and mounts of a template that collide with the platform's."""
    for position, volume in enumerate(template.spec.get("volumes", ())):
        if volume["name"] in _RESERVED_NAMES:
            raise forbidden(
                f"the volume name {volume['name']} is kept for the platform",
                field=f"{TEMPLATE}.spec.volumes[{position}].name",
                mend="Choose another name.",
            )
    for position, mount in enumerate(_primary_mounts(template)):
        path = posixpath.normpath(f"/{mount['mountPath'].lstrip('/')}")
        if path == _PLATFORM_FOLDER or path.startswith(f"{_PLATFORM_FOLDER}/"):
            raise forbidden(
                f"{path} is kept for files of the platform's secrets",
                field=f"{TEMPLATE}.spec.containers[{template.primary}].volumeMounts[{position}].mountPath",
                mend="Mount the volume elsewhere.",
            )
        if path == SHARED_MEMORY and shared_memory:
            raise refusal(
                "shm is given by the task's resources and by a volume of the pod template",
                field="resources.shm",
                mend="Leave out one of them.",
            )


def with_storage(
    spec: Mapping[str, Any], primary: Mapping[str, Any], *, shared_memory: str, secret_files: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pod's spec and its primary container with the platform's volumes."""
    additions = _additions(primary, shared_memory=shared_memory, secret_files=secret_files)
    volumes = [{"name": addition.name, "emptyDir": dict(addition.empty_dir)} for addition in additions]
    mounts = [{"name": addition.name, "mountPath": addition.path} for addition in additions]
    return (
        {**spec, "volumes": [*spec.get("volumes", ()), *volumes]},
        {**primary, "volumeMounts": [*primary.get("volumeMounts", ()), *mounts]},
    )


def _additions(primary: Mapping[str, Any], *, shared_memory: str, secret_files: bool) -> list[_Addition]:
    additions = []
    if secret_files:
        additions.append(_Addition(_SECRETS_VOLUME, SECRETS_FOLDER, {"medium": "Memory", "sizeLimit": SECRETS_SIZE}))
    if shared_memory:
        size = {} if shared_memory == "auto" else {"sizeLimit": shared_memory}
        additions.append(_Addition(_SHARED_VOLUME, SHARED_MEMORY, {"medium": "Memory", **size}))
    read_only = primary.get("securityContext", {}).get("readOnlyRootFilesystem", False)
    if read_only and not _mounted(primary, TEMPORARY):
        additions.append(_Addition(_TEMPORARY_VOLUME, TEMPORARY, {}))
    return additions


def _mounted(container: Mapping[str, Any], path: str) -> bool:
    return any(posixpath.normpath(mount["mountPath"]) == path for mount in container.get("volumeMounts", ()))


def _primary_mounts(template: Template) -> Sequence[Mapping[str, Any]]:
    for container in template.spec.get("containers", ()):
        if container["name"] == template.primary:
            mounts: Sequence[Mapping[str, Any]] = container.get("volumeMounts", ())
            return mounts
    return ()
