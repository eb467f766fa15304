"""What keeps a container from being started, and how much patience it deserves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from flyteplane.cluster.kubernetes.containers import Container
from flyteplane.cluster.kubernetes.history import PodHistory
from flyteplane.cluster.ports import ExitReason

_PULLING: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError"})
_NO_SUCH_IMAGE: Final = frozenset({"InvalidImageName", "ErrImageNeverPull"})
#: Something that the container refers to is not there, and may be made yet.
_REFUSED_FOR_NOW: Final = frozenset({"CreateContainerConfigError", "CreateContainerError"})
_REFUSED: Final = frozenset({"RunContainerError", "PostStartHookError"})
#: What registries and runtimes say of an image that does not exist; a host that is not found may come back.
_IMAGE_GONE: Final = re.compile(
    r"(?<!host )not found|manifest unknown|name unknown|manifest_unknown|name_unknown|code = NotFound"
    r"|repository does not exist|invalid reference format",
    re.IGNORECASE,
)
_MOUNT_MISSING: Final = re.compile(r'\b(configmap|secret|persistentvolumeclaim)s? "[^"]+" not found', re.IGNORECASE)
#: The kubelet tries a mount again, and says so, at least every two minutes; older news may be mended.
_REPEATED_WITHIN_S: Final = 150.0
_MOUNTING: Final = frozenset({"FailedMount", "FailedAttachVolume"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why a worker does not start."""

    key: str
    """Stays the same while the trouble is the same one, however its message changes."""
    reason: str
    message: str
    exit: ExitReason = ExitReason.CONTAINER_REFUSED
    """How the worker ends when patience does."""
    patience: Literal["", "none", "container", "image"] = ""
    """Which patience applies; empty: it never ends."""


def obstacle_of_container(container: Container, history: PodHistory) -> Obstacle | None:
    """What a container's own status says; None if it is only being made."""
    reason, said = container.waiting_reason, container.waiting_message
    where = f"{container.role} {container.name}: {reason}"
    message = f"{where}: {said}" if said else where
    if reason in _NO_SUCH_IMAGE:
        return Obstacle(key=reason, reason=reason, message=message, exit=ExitReason.IMAGE_NOT_FOUND, patience="none")
    if reason in _PULLING:
        return _of_pull(reason, where=where, said=said, known=history.pull_message)
    if reason in _REFUSED_FOR_NOW:
        return Obstacle(key="refused", reason=reason, message=message, patience="container")
    if reason in _REFUSED:
        return Obstacle(key="refused", reason=reason, message=message, patience="none")
    if reason == "CrashLoopBackOff":
        exit = ExitReason.SIDECAR_FAILED
        return Obstacle(key=f"crash:{container.name}", reason=reason, message=message, exit=exit, patience="image")
    return None


def _of_pull(reason: str, *, where: str, said: str, known: str) -> Obstacle:
    cause = said if reason != "ImagePullBackOff" or not known else known
    message = f"{where}: {cause}" if cause else where
    if _IMAGE_GONE.search(said) or _IMAGE_GONE.search(known):
        return Obstacle(key="pull", reason=reason, message=message, exit=ExitReason.IMAGE_NOT_FOUND, patience="none")
    return Obstacle(key="pull", reason=reason, message=message, exit=ExitReason.IMAGE_PULL_FAILED, patience="image")


def obstacle_of_warning(history: PodHistory, *, placed: bool, now: float) -> Obstacle | None:
    """What the events say where the containers' statuses say nothing: volumes, sandboxes, networks."""
    reason, message = history.warning_reason, history.warning_message
    if not reason or not placed or reason == "Unschedulable":
        return None
    fresh = now - history.warning_seen < _REPEATED_WITHIN_S
    missing = fresh and reason in _MOUNTING and _MOUNT_MISSING.search(message) is not None
    return Obstacle(key=f"event:{reason}", reason=reason, message=message, patience="image" if missing else "")
