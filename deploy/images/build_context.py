#!/usr/bin/env python3
"""Makes the build context of an image: its Dockerfile, every wheel that goes in, and the list that pins them.

    python deploy/images/build_context.py runner /tmp/runner --with scikit-learn
    docker build --tag flyteplane/runner:dev /tmp/runner
    python deploy/images/build_context.py services /tmp/services
    docker build --tag flyteplane/services:dev /tmp/services

`runner` is what workers run in, `services` what the platform itself runs in.

Run it with the Python of the development environment, or of any other that the project is installed in: the image
gets the versions that are installed there, and only wheels for that version of Python. The same environment and the
same sources give the same context. The folder is replaced as a whole, once everything is there.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PROJECT: Final = "flyteplane"
FOLDER: Final = Path(__file__).resolve().parent

SERVICES_ONLY: Final = frozenset(
    {
        *(
            "alembic",
            "asyncinotify",
            "cronsim",
            "cryptography",
            "grpcio-health-checking",
            "grpcio-reflection",
            "jinja2",
            "kubernetes",
        ),
        *("prometheus-client", "pydantic", "pydantic-core", "pyjwt", "python-multipart", "sqlalchemy"),
        *("starlette", "structlog", "uvicorn", "uvloop"),
    }
)
"""Dependencies of the project that no worker imports. Tasks that want one of them ask for it as for any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What goes into an image beside the project's own wheel."""

    leaves_out: frozenset[str] = frozenset()
    """Dependencies of the project that it can do without."""
    extras: tuple[str, ...] = ()
    """Extras of the project that it has."""


IMAGES: Final[Mapping[str, Image]] = {
    "runner": Image(leaves_out=SERVICES_ONLY),
    "services": Image(extras=("kubernetes", "postgres", "telemetry", "vault")),
}
"""By name, which is also that of the folder with the Dockerfile."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the context; returns the exit code."""
    parser = argparse.ArgumentParser(description="Makes the build context of an image.")
    parser.add_argument("image", choices=IMAGES, help="which image")
    parser.add_argument("folder", type=Path, help="where the context goes; replaced if it is a context already")
    parser.add_argument(
        "--with", dest="extra", metavar="REQUIREMENT", action="append", default=[], help="a further package; repeatable"
    )
    options = parser.parse_args(arguments)
    if options.folder.exists() and not _replaceable(options.folder):
        parser.error(f"{options.folder} holds something else; name an empty or a new folder")
    project = _pyproject()["project"]
    requirements = [*requirements_of(IMAGES[options.image], project), *options.extra]
    try:
        make_context(options.folder, dockerfile=FOLDER / options.image / "Dockerfile", requirements=requirements)
    except subprocess.CalledProcessError:
        print("The wheels could not be had; what pip said stands above. No context was made.", file=sys.stderr)
        return 1
    return 0


def make_context(folder: Path, *, dockerfile: Path, requirements: Sequence[str], with_project: bool = True) -> None:
    """Writes the context. Raises CalledProcessError if a wheel cannot be built or found.

    Args:
        requirements: what goes in, with all that it needs, in the versions of the environment that this runs in.
        with_project: whether the wheel of this project goes in as well.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".context-") as scratch:
        context = Path(scratch) / "context"
        wheels = context / "wheels"
        wheels.mkdir(parents=True)
        if with_project:
            _pip("wheel", "--no-deps", *_tools_of_the_build(), "--wheel-dir", str(wheels), str(REPOSITORY))
        _collect_wheels(wheels, constraints=Path(scratch) / "constraints.txt", requirements=requirements)
        pins = sorted(_pin(wheel) for wheel in wheels.glob("*.whl"))
        (context / "requirements.txt").write_text("".join(f"{pin}\n" for pin in pins))
        shutil.copyfile(dockerfile, context / "Dockerfile")
        if folder.exists():
            shutil.rmtree(folder)
        context.rename(folder)


def requirements_of(image: Image, project: Mapping[str, Any]) -> list[str]:
    """What an image needs of what the project depends on; `project` is the table of that name in pyproject.toml."""
    extras: Mapping[str, Iterable[str]] = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(requirement for extra in image.extras for requirement in extras[extra])]
    return [requirement for requirement in wanted if _name(requirement) not in image.leaves_out]


def _tools_of_the_build() -> list[str]:
    """The build tools that are installed, as they are in the development environment; else pip fetches them."""
    installed = {_name(distribution.name) for distribution in metadata.distributions()}
    wanted = {_name(requirement) for requirement in _pyproject()["build-system"]["requires"]}
    return ["--no-build-isolation"] if wanted <= installed else []


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def _collect_wheels(wheels: Path, *, constraints: Path, requirements: Sequence[str]) -> None:
    pins = {_name(installed.name): f"{installed.name}=={installed.version}\n" for installed in metadata.distributions()}
    pins.pop(PROJECT, None)
    constraints.write_text("".join(pins[name] for name in sorted(pins)))
    _pip("wheel", "--constraint", str(constraints), "--wheel-dir", str(wheels), *requirements)


def _pip(command: str, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", "--no-input", *arguments],
        check=True,
    )


def _pin(wheel: Path) -> str:
    """A line of the list: what the wheel is of, its version, and its content."""
    name, version, *_ = wheel.name.split("-")
    return f"{_name(name)}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"


def _name(requirement: str) -> str:
    """The normalised name of what a requirement, or a wheel, is of."""
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    return re.sub(r"[-_.]+", "-", found.group() if found else requirement).lower()


def _replaceable(folder: Path) -> bool:
    """Whether a folder is empty or a context that an earlier call made."""
    return folder.is_dir() and {entry.name for entry in folder.iterdir()} <= {
        "Dockerfile",
        "requirements.txt",
        "wheels",
    }


if __name__ == "__main__":
    sys.exit(main())
