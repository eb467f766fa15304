"""Environments of packages: options of one installation do not hit another, and make another environment."""

from __future__ import annotations

import asyncio
import subprocess
import zipfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from flyteapi.task.v1.task_spec_pb2 import ImageSpec, PythonInstall
from flyteplane.cluster.python_installs import installs_of
from flyteplane.cluster.virtual_environments import VirtualEnvironments
from flyteplane.foundation.errors import InvalidArgument


def wheel(folder: Path, *, name: str, version: str, needs: str = "") -> Path:
    """A package with nothing in it."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}")
        packed.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        packed.writestr(f"{info}/RECORD", "")
    return path


async def versions(python: Path, *names: str) -> list[str]:
    """What the interpreter has."""
    program = "import importlib.metadata as m, sys; print(*map(m.version, sys.argv[1:]))"
    command = [str(python), "-c", program, *names]
    return (await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)).stdout.split()


def image(*installs: PythonInstall) -> ImageSpec:
    """An image with these installations."""
    return ImageSpec(
        python_packages=[package for one in installs for package in one.packages], python_installs=installs
    )


def from_folder(folder: Path, *options: str) -> Sequence[str]:
    """An index that is a folder."""
    return ["--no-index", "--find-links", str(folder), *options]


async def test_each_installation_has_its_own_options_constraints_and_hashes(tmp_path: Path) -> None:
    for version in ("1.0", "2.0", "3.0rc1"):
        wheel(tmp_path, name="locked", version=version)
        wheel(tmp_path, name="early", version=version, needs="there-is-no-such-package")
        wheel(tmp_path, name="plain", version=version)
    packed = wheel(tmp_path, name="hashed", version="1.0").read_bytes()
    hashed = f"hashed==1.0 --hash=sha256:{sha256(packed).hexdigest()}"
    environments = VirtualEnvironments(tmp_path / "venvs")
    python = await environments.interpreter(
        installs_of(
            image(
                PythonInstall(packages=["early"], options=from_folder(tmp_path, "--pre", "--no-deps")),
                PythonInstall(packages=["locked"], options=from_folder(tmp_path), constraints=["locked==1.0", "no==3"]),
                PythonInstall(packages=[hashed], options=from_folder(tmp_path)),
                PythonInstall(packages=["plain"], options=from_folder(tmp_path)),
            )
        )
    )
    assert await versions(python, "early", "locked", "hashed", "plain") == ["3.0rc1", "1.0", "1.0", "2.0"]
    other = PythonInstall(packages=[f"hashed==1.0 --hash=sha256:{'0' * 64}"], options=from_folder(tmp_path))
    with pytest.raises(InvalidArgument, match="HASHES"):
        await environments.interpreter(installs_of(image(other)))


def test_an_environment_is_told_apart_by_all_that_is_installed_and_how() -> None:
    assert installs_of(ImageSpec(python_packages=["b", "a", "b"])) == installs_of(ImageSpec(python_packages=["a", "b"]))
    assert installs_of(ImageSpec(uri="mine:1")) == ()
    told = [
        image(PythonInstall(packages=["a", "b"])),
        image(PythonInstall(packages=["a"]), PythonInstall(packages=["b"])),
        image(PythonInstall(packages=["a"], options=["b"])),
        image(PythonInstall(packages=["a"], constraints=["b"])),
    ]
    assert len({tuple(part for one in installs_of(spec) for part in one.parts()) for spec in told}) == len(told)
