"""Deployed task versions: a name and a version that mean the same code and configuration for ever."""

from dataclasses import dataclass

from flyteplane.foundation.errors import AlreadyExists


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskToDeploy:
    """One task of a deployment, checked."""

    name: str
    digest: bytes
    spec: bytes
    bundle_digest: str
    """Hex SHA-256 of the code bundle; empty if the code is part of the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedTask:
    """A version as stored."""

    project: str
    domain: str
    name: str
    version: str
    digest: bytes
    spec: bytes
    deployed_at_us: int
    deployed_by: str
    sequence: int = 0
    """Grows with every version of the platform: the newest has the greatest."""


def version_taken(name: str, *, version: str) -> AlreadyExists:
    """The refusal of a version that was deployed with another digest."""
    return AlreadyExists(
        f"the version {version!r} of the task {name!r} was deployed with other code or configuration",
        reason="TASK_VERSION_EXISTS",
        field="version",
        mend="Deploy under a new version; versions never change.",
    )
