"""What the steps of an image come to where there is no container: installations of packages, and what is left over.

Each step's options hold for its own packages alone, as they do when the image is built. Steps one after the other with
the same options are one installation, which finds versions that fit them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from flyte.spec import image_layers as layers
from flyte.spec.image import Image
from flyte.spec.problems import InvalidSetting
from flyte.wire.project_files import locked_versions, only_for_tools, project_dependencies, script_dependencies
from flyte.wire.requirements_file import read_requirements

_SDK: Final = re.compile(r"\s*flyte\s*(\Z|[\[<>=!~;@(,])", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"\$[A-Za-z_{]")
_STEPS: Final[dict[type[layers.Layer], str]] = {
    layers.PipPackages: "with_pip_packages",
    layers.Requirements: "with_requirements",
    layers.UvScript: "from_uv_script",
    layers.UvProject: "with_uv_project",
    layers.PoetryProject: "with_poetry_project",
    layers.PixiProject: "with_pixi_project",
    layers.Commands: "with_commands",
    layers.WorkDir: "with_workdir",
}
_CONTAINER_ONLY: Final = (layers.PixiProject, layers.Commands, layers.WorkDir)
_INSTALLING: Final = (
    *(layers.PipPackages, layers.Requirements, layers.UvScript),
    *(layers.UvProject, layers.PoetryProject),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One call of pip: requirements, words of its command line, and versions that whatever is installed must have."""

    packages: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether the requirements say all."""
        return not (self.options or self.constraints or any(" --" in package for package in self.packages))


def installations(image: Image) -> list[Installation]:
    """Return what is installed, in the order of the steps.

    Raises InvalidSetting for options that are no words, FileNotFoundError for a file that a step names.
    """
    found = [_installation(layer) for layer in image.layers if isinstance(layer, _INSTALLING)]
    wanted = [one for one in (_without_sdk(one) for one in found) if one.packages]
    return [
        replace(alike, packages=tuple(package for one in group for package in one.packages))
        for alike, group in groupby(wanted, key=lambda one: replace(one, packages=()))
    ]


def container_steps(image: Image) -> list[str]:
    """Return short names of all that an image has and no process can be given."""
    steps = ["from_dockerfile"] if image.dockerfile is not None else []
    for layer in image.layers:
        steps += (step for step in _left_over(layer) if step not in steps)
    return steps


def pip_options(layer: layers.PipOptions) -> list[str]:
    """Return the words that pip is called with for a step, before its requirements. Raises InvalidSetting."""
    options = ["--index-url", layer.index_url] if layer.index_url else []
    for url in layer.extra_index_urls:
        options += ["--extra-index-url", url]
    if layer.pre:
        options.append("--pre")
    return [*options, *_words(layer.extra_args)]


def without_sdk(requirements: Iterable[str]) -> list[str]:
    """Return the requirements but for the SDK itself, which every worker has in the version of its platform.

    The name belongs to the peer SDK on package indexes: installed beside this one, it would be imported in its place.
    """
    return [requirement for requirement in requirements if not is_sdk(requirement)]


def is_sdk(requirement: str) -> bool:
    """Tell whether a requirement asks for the distribution that is called as this SDK is imported."""
    return _SDK.match(requirement) is not None


def refers(value: str) -> bool:
    """Tell whether the value of a variable stands for that of another one, as in "/opt/bin:$PATH"."""
    return _REFERENCE.search(value) is not None


def _installation(layer: layers.Layer) -> Installation:
    options = tuple(pip_options(layer)) if isinstance(layer, layers.PipOptions) else ()
    match layer:
        case layers.PipPackages():
            return Installation(packages=layer.packages, options=options)
        case layers.Requirements():
            listed = read_requirements(layer.file)
            return Installation(packages=listed.packages, options=(*options, *listed.options))
        case layers.UvScript():
            return Installation(packages=tuple(script_dependencies(layer.script)), options=options)
        case layers.UvProject() | layers.PoetryProject():
            return Installation(
                packages=tuple(project_dependencies(layer.pyproject)),
                options=options,
                constraints=tuple(without_sdk(locked_versions(layer.lock))),
            )
    return Installation()


def _without_sdk(one: Installation) -> Installation:
    return replace(one, packages=tuple(without_sdk(one.packages)))


def _left_over(layer: layers.Layer) -> Iterator[str]:
    """What a process lacks of one step; nothing for code, which comes with the run, and for the SDK."""
    if isinstance(layer, layers.CopyFiles):
        is_file = not layer.contents_only and all(source.is_file() for source in layer.sources)
        yield "with_source_file" if is_file else "with_source_folder"
    if isinstance(layer, layers.EnvVars):
        yield from (f"with_env_vars with a '$' in {name}" for name, value in layer.env_vars if refers(value))
    name = _STEPS.get(type(layer), "")
    if isinstance(layer, _CONTAINER_ONLY):
        yield name
    if isinstance(layer, _INSTALLING) and layer.secret_mounts:
        yield f"{name} with secret_mounts"
    if isinstance(layer, layers.Requirements):
        yield from (f"{name}: {line!r} in {layer.file.name}" for line in read_requirements(layer.file).elsewhere)
    if isinstance(layer, layers.UvProject | layers.PoetryProject):
        yield from (f"{name} with {part}" for part in _of_project(layer))


def _of_project(layer: layers.UvProject | layers.PoetryProject) -> Iterator[str]:
    if layer.project_install_mode == "install_project":
        yield 'project_install_mode="install_project"'
    if isinstance(layer, layers.PoetryProject) and layer.extra_args:
        yield "extra_args"
    yield from only_for_tools(layer.pyproject, lock=layer.lock)


def _words(extra_args: str | None) -> list[str]:
    import shlex

    try:
        return shlex.split(extra_args or "")
    except ValueError as error:
        raise InvalidSetting(
            f"extra_args {extra_args!r} cannot be taken apart: {error}. Quote it as for a shell.", field="image"
        ) from error
