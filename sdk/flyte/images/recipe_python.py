"""The commands that install Python packages while an image is built."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Final

from flyte.spec import image_layers as layers
from flyte.wire.image_packages import pip_options

_PIP: Final = "python -m pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore"


def pip_command(layer: layers.PipOptions, *words: str) -> str:
    """Install what `words` name, from where the step says; does nothing for no words."""
    if not words:
        return "true"
    return f"{_PIP} {shlex.join([*pip_options(layer), *words])}"


def project_steps(layer: layers.UvProject | layers.PoetryProject, *, folder: str) -> Iterator[str]:
    """Install a project that lies in `folder` of the image, or only what it depends on, into the image's Python.

    With a lock file exactly what that says is installed, or the build fails.
    """
    if isinstance(layer, layers.UvProject):
        yield f"{_PIP} uv"
        yield f"cd {folder} && {_uv_requirements(layer)} && {pip_command(layer, '--requirement', 'requirements.txt')}"
        if layer.project_install_mode == "install_project":
            yield f"{_PIP} --no-deps {folder}"
        return
    yield f"{_PIP} poetry"
    root = "" if layer.project_install_mode == "install_project" else " --no-root"
    extra = f" {shlex.join(shlex.split(layer.extra_args))}" if layer.extra_args else ""
    yield f"cd {folder} && POETRY_VIRTUALENVS_CREATE=false poetry install --no-interaction{root}{extra}"


def _uv_requirements(layer: layers.UvProject) -> str:
    frozen = " --frozen" if layer.lock is not None else ""
    return f"uv export{frozen} --no-dev --no-emit-project --no-hashes --quiet --output-file requirements.txt"
