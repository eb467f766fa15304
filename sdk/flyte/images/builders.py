"""The tools that build images, as the command lines that they are called with.

Either tool is used as it is set up on this machine: where it keeps images, how it isolates builds and where it is
logged in is its own configuration, of files or of environment variables.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from flyte.errors import ImageBuildError

_ANSWERS_WITHIN_S: Final = 10.0

Command = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One image to build.

    - `secrets`: files with values, by the id of their mount.
    - `push`: whether the image goes to its registry.
    """

    uri: str
    file: Path
    context: Path
    platforms: tuple[str, ...]
    secrets: tuple[tuple[str, Path], ...] = ()
    push: bool = False


class BuildTool(Protocol):
    """A tool."""

    name: str

    def is_there(self, uri: str) -> Command:
        """The command that succeeds if the image was built before."""

    def build(self, job: Job) -> Sequence[Command]:
        """The commands that build, name and push the image, one after the other."""


class Buildah:
    """`buildah`: needs no daemon."""

    name = "buildah"

    def is_there(self, uri: str) -> Command:
        """See the protocol."""
        return ("buildah", "inspect", uri)

    def build(self, job: Job) -> Sequence[Command]:
        """See the protocol. Several platforms become one list of images."""
        many = len(job.platforms) > 1
        naming = ("--manifest", job.uri) if many else ("--tag", job.uri)
        command = ("buildah", "build", *_common(job), "--layers", *naming, str(job.context))
        if not job.push:
            return (command,)
        push = ("buildah", "manifest", "push", "--all") if many else ("buildah", "push")
        return command, (*push, job.uri, f"docker://{job.uri}")


class DockerBuildx:
    """`docker buildx`: needs a daemon."""

    name = "docker"

    def is_there(self, uri: str) -> Command:
        """See the protocol."""
        return ("docker", "image", "inspect", uri)

    def build(self, job: Job) -> Sequence[Command]:
        """See the protocol. A daemon keeps no image of several platforms, so such a one is pushed at once."""
        output = "--push" if job.push else "--load"
        if len(job.platforms) > 1 and not job.push:
            raise ImageBuildError(
                f"Docker keeps an image of {len(job.platforms)} platforms in a registry only. Give the image a "
                "registry=, or one platform=."
            )
        return (("docker", "buildx", "build", *_common(job), output, "--tag", job.uri, str(job.context)),)


_TOOLS: Final[tuple[BuildTool, ...]] = (DockerBuildx(), Buildah())

#: What the peer SDK calls a builder without a daemon; podman builds with buildah.
_ALIASES: Final = {"local-podman": "buildah"}


def choose_tool(wanted: str = "local") -> BuildTool:
    """The tool of this name, or for "local" the first that works here: docker with its daemon, then buildah.

    Raises ImageBuildError if there is none.
    """
    wanted = _ALIASES.get(wanted, wanted)
    names = [tool.name for tool in _TOOLS]
    if wanted not in ("local", *names):
        raise ImageBuildError(f"There is no image builder {wanted!r}. Choose one of local, {', '.join(names)}.")
    for tool in _TOOLS:
        if wanted in ("local", tool.name) and _works(tool):
            return tool
    missing = "neither docker with its daemon nor buildah works" if wanted == "local" else f"{wanted} does not work"
    raise ImageBuildError(
        f"To build an image, docker or buildah is needed; {missing} here. Install one (on Debian: apt install "
        "buildah), or build the image elsewhere and name it with Image.from_base(uri)."
    )


def _works(tool: BuildTool) -> bool:
    if shutil.which(tool.name) is None:
        return False
    check = ("docker", "info") if tool.name == "docker" else (tool.name, "--version")
    try:
        return subprocess.run(check, capture_output=True, timeout=_ANSWERS_WITHIN_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _common(job: Job) -> Command:
    secrets = [word for name, path in job.secrets for word in ("--secret", f"id={name},src={path}")]
    return ("--file", str(job.file), "--platform", ",".join(job.platforms), *secrets)
