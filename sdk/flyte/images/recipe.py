"""From the steps of an `Image` to the text of a Containerfile and the files that it needs: pure, and always the same.

Every file of a step lies under `steps/N/` of the context, so that no two steps are in each other's way. A secret that a
step may use is mounted for that step alone and is in no layer of the image.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flyte.errors import ImageBuildError
from flyte.images.recipe_python import pip_command, project_steps
from flyte.spec import image_layers as layers
from flyte.spec.image import DEFAULT_REPOSITORY, Image
from flyte.spec.secrets import Secret
from flyte.wire.image_packages import is_sdk, without_sdk
from flyte.wire.project_files import script_dependencies

#: Gives the files of the deployment's code, each with its path below the root of the code.
CodeFiles = Callable[[layers.CopyStyle], Sequence[tuple[Path, str]]]

#: As whom the default image runs; steps are carried out as root.
_DEFAULT_USER: Final = "10001:10001"
_SECRETS: Final = "/run/secrets"
_DROP_SDK: Final = "sed -i -E '/^[[:space:]]*flyte[[:space:]]*($|[][<>=!~;@(,])/Id' {target} && "
"""The image has the SDK of its platform, and a package index has another one under this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is built.

    - `text`: the Containerfile.
    - `files`: files and folders with their paths in the context.
    - `ignored`: patterns of files that no copy takes, as in a dockerignore file.
    - `secrets`: what the build is given, by the id of its mount.
    """

    text: str
    files: tuple[tuple[Path, str], ...] = ()
    ignored: tuple[str, ...] = ()
    secrets: tuple[tuple[str, Secret], ...] = ()


def recipe_of(image: Image, *, code_files: CodeFiles) -> Recipe:
    """Return the recipe of an image that is described by steps.

    Raises ImageBuildError for a step that cannot be carried out here, FileNotFoundError for a file that is missing.
    """
    return _Writer(image, code_files).recipe()


class _Writer:
    """Writes one Containerfile from its top to its end."""

    def __init__(self, image: Image, code_files: CodeFiles) -> None:
        self._image = image
        self._code_files = code_files
        self._lines: list[str] = []
        self._files: list[tuple[Path, str]] = []
        self._ignored: list[str] = []
        self._secrets: dict[str, Secret] = {}
        self._folder = ""

    def recipe(self) -> Recipe:
        """Write all steps."""
        base = self._image.base_image or ""
        ends_as_user = base.startswith(f"{DEFAULT_REPOSITORY}:")
        self._lines.append(f"FROM {base}")
        if ends_as_user:
            self._lines.append("USER root")
        for number, layer in enumerate(self._image.layers):
            self._folder = f"steps/{number}"
            self._lines.extend(self._step(layer))
        if ends_as_user:
            self._lines.append(f"USER {_DEFAULT_USER}")
        return Recipe(
            text="\n".join(self._lines) + "\n",
            files=tuple(self._files),
            ignored=tuple(self._ignored),
            secrets=tuple(self._secrets.items()),
        )

    def _step(self, layer: layers.Layer) -> Iterator[str]:
        match layer:
            case layers.PipPackages():
                yield self._run(pip_command(layer, *without_sdk(layer.packages)), layer)
            case layers.Requirements():
                target = f"/tmp/flyte-requirements/{layer.file.name}"
                yield self._copy(layer.file, target)
                drop = _DROP_SDK.format(target=shlex.quote(target)) if _names_sdk(layer.file) else ""
                yield self._run(drop + pip_command(layer, "--requirement", target), layer)
            case layers.UvScript():
                yield self._run(pip_command(layer, *without_sdk(script_dependencies(layer.script))), layer)
            case layers.UvProject() | layers.PoetryProject():
                yield from self._project(layer)
            case layers.AptPackages():
                yield self._run(_apt_command(layer.packages), layer)
            case layers.Commands():
                yield from (self._run(command, layer) for command in layer.commands)
            case layers.WorkDir():
                yield f"WORKDIR {json.dumps(layer.workdir)}"
            case layers.EnvVars():
                yield from (_env_line(name, value) for name, value in layer.env_vars)
            case layers.CopyFiles():
                yield from self._copies(layer)
            case layers.CodeBundleFiles():
                yield from self._code(layer)
            case layers.DockerIgnore():
                self._ignored.extend(_patterns(layer.path))
            case layers.LocalSdk():
                yield from self._local_sdk(layer)
            case _:
                raise ImageBuildError(
                    f"{type(layer).__name__} cannot be built on this machine: pixi environments need pixi itself. "
                    "Start from an image that has it, with Image.from_base(uri), and use with_commands()."
                )

    def _run(self, command: str, layer: layers.Layer) -> str:
        mounts: list[str] = []
        exports: list[str] = []
        for secret in layer.secret_mounts:
            name = "-".join(filter(None, (secret.group, secret.key)))
            self._secrets[name] = secret
            where = Path(secret.mount, secret.key) if secret.mount else Path(_SECRETS, name)
            mounts.append(f"--mount=type=secret,id={name},target={where}")
            if secret.as_env_var:
                exports.append(f'export {secret.as_env_var}="$(cat {shlex.quote(str(where))})"')
        script = " && ".join((*exports, command))
        # The shell form ends with its line.
        body = json.dumps(["/bin/sh", "-c", script]) if "\n" in script else script
        return " ".join(("RUN", *mounts, body))

    def _copy(self, source: Path, target: str, *, name: str = "") -> str:
        if not source.exists():
            raise FileNotFoundError(f"{source}, which the image copies, does not exist.")
        inside = f"{self._folder}/{name or source.name}" if source.is_file() else self._folder
        self._files.append((source, inside))
        return _copy_line(inside if source.is_file() else f"{inside}/", target)

    def _copies(self, layer: layers.CopyFiles) -> Iterator[str]:
        target = layer.destination
        for source in layer.sources:
            if source.is_dir() and not layer.contents_only:
                yield self._copy(source, f"{target.rstrip('/')}/{source.resolve().name}/")
            elif source.is_dir() or len(layer.sources) > 1:
                yield self._copy(source, f"{target.rstrip('/')}/")
            else:
                yield self._copy(source, target)

    def _code(self, layer: layers.CodeBundleFiles) -> Iterator[str]:
        for source, inside in self._code_files(layer.copy_style):
            self._files.append((source, f"{self._folder}/{inside}"))
        yield _copy_line(f"{self._folder}/", f"{layer.destination.rstrip('/')}/")

    def _project(self, layer: layers.UvProject | layers.PoetryProject) -> Iterator[str]:
        whole = layer.project_install_mode == "install_project"
        target = f"/tmp/flyte-project-{self._folder.rpartition('/')[2]}"
        if whole:
            yield self._copy(layer.pyproject.parent, f"{target}/")
        else:
            yield self._copy(layer.pyproject, f"{target}/pyproject.toml", name="pyproject.toml")
            if layer.lock is not None:
                yield self._copy(layer.lock, f"{target}/{layer.lock.name}")
        for command in project_steps(layer, folder=target):
            yield self._run(command, layer)

    def _local_sdk(self, layer: layers.LocalSdk) -> Iterator[str]:
        from flyte.images.local_sdk import local_sdk_source

        yield self._copy(local_sdk_source(), "/tmp/flyte-sdk/")
        yield self._run("python -m pip install --no-cache-dir --root-user-action=ignore /tmp/flyte-sdk", layer)


def _names_sdk(requirements: Path) -> bool:
    return any(map(is_sdk, requirements.read_text().splitlines()))


def _apt_command(packages: Sequence[str]) -> str:
    install = f"apt-get install --yes --no-install-recommends {shlex.join(packages)}"
    return f"apt-get update && DEBIAN_FRONTEND=noninteractive {install} && rm -rf /var/lib/apt/lists/*"


def _env_line(name: str, value: str) -> str:
    if "\n" in value:
        raise ImageBuildError(f"The variable {name} has several lines, which an image cannot have. Set it in env_vars.")
    # A dollar is left: PATH is usually extended by what it was.
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'ENV {name}="{escaped}"'


def _copy_line(source: str, target: str) -> str:
    return f"COPY {json.dumps([source, target])}"


def _patterns(path: Path) -> Iterator[str]:
    """The patterns of a dockerignore file, for copies that lie two folders deeper."""
    for line in path.read_text().splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            negated = "!" if pattern.startswith("!") else ""
            yield f"{negated}steps/*/{pattern.removeprefix('!').lstrip('/')}"
