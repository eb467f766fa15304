"""The image of a task as it travels: its reference, and what it adds to the default image.

Pods pull the reference. A process on the platform's own machine has no image, and gets the Python packages that the
image stands for instead; it refuses what it cannot give.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from flyte.authoring.image_names import DEFAULT_NAME, uri_of
from flyte.spec import image_layers as layers
from flyte.spec.image import Image
from flyteapi.task.v1 import task_spec_pb2

_SDK: Final = re.compile(r"\s*flyte\s*(\Z|[\[<>=!~;@(,])", re.IGNORECASE)


def image_to_proto(image: str | Image | None) -> task_spec_pb2.ImageSpec:
    """Return the image of a task; "auto" and None are the configured or else the platform's default image.

    Raises ImageBuildError for an image without a base, FileNotFoundError for one that names a missing file.
    """
    if image is None or image == "auto":
        return task_spec_pb2.ImageSpec(uri=uri_of(DEFAULT_NAME) or "")
    if isinstance(image, str):
        return task_spec_pb2.ImageSpec(uri=image)
    named = uri_of(image.ref_name) if image.ref_name is not None else None
    message = task_spec_pb2.ImageSpec(uri=named or image.uri)
    for layer in image.layers:
        message.python_packages.extend(without_sdk(_python_packages(layer)))
        if isinstance(layer, layers.AptPackages):
            message.system_packages.extend(layer.packages)
        elif isinstance(layer, layers.EnvVars):
            message.env.update(dict(layer.env_vars))
    return message


def without_sdk(requirements: Iterable[str]) -> list[str]:
    """Return the requirements but for the SDK itself, which every worker has in the version of its platform.

    The name belongs to the peer SDK on package indexes: installed beside this one, it would be imported in its place.
    """
    return [requirement for requirement in requirements if not is_sdk(requirement)]


def is_sdk(requirement: str) -> bool:
    """Tell whether a requirement asks for the distribution that is called as this SDK is imported."""
    return _SDK.match(requirement) is not None


def _python_packages(layer: layers.Layer) -> Iterator[str]:
    if isinstance(layer, layers.PipPackages):
        yield from layer.packages
    elif isinstance(layer, layers.Requirements):
        yield from _requirements(layer.file)
    elif isinstance(layer, layers.UvScript):
        yield from script_dependencies(layer.script)
    elif isinstance(layer, layers.UvProject | layers.PoetryProject):
        yield from _project_dependencies(layer.pyproject)


def _requirements(file: Path) -> Iterator[str]:
    for line in file.read_text().splitlines():
        requirement = line.partition(" #")[0].strip()
        if requirement and not requirement.startswith(("#", "-")):
            yield requirement


def script_dependencies(script: Path) -> list[str]:
    """Return the dependencies of a script's header (PEP 723)."""
    import tomllib

    header: list[str] = []
    inside = False
    for line in script.read_text().splitlines():
        if line.strip() == "# /// script":
            inside = True
        elif inside and line.strip() == "# ///":
            break
        elif inside:
            header.append(line.removeprefix("#").removeprefix(" "))
    return _texts(tomllib.loads("\n".join(header)).get("dependencies"))


def _project_dependencies(pyproject: Path) -> list[str]:
    import tomllib

    return _texts(tomllib.loads(pyproject.read_text()).get("project", {}).get("dependencies"))


def _texts(values: Any) -> list[str]:
    return [str(value) for value in values or ()]
