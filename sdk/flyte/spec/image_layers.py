"""The layers that an image is made of, each a value with an identity of its content.

A layer says what is to be done, never how: builders read these values. Its identity goes into the digest of the image
and follows the content of the files that it names, so that a changed requirements file makes another image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar, Final, Literal, TypeAlias, get_args

from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.secrets import Secret

CopyStyle: TypeAlias = Literal["loaded_modules", "all"]
ProjectInstallMode: TypeAlias = Literal["dependencies_only", "install_project"]

_IGNORED_FOLDERS: Final = frozenset({"__pycache__", ".git", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One step of an image. `secret_mounts` are available while the step is built and never end up in the image."""

    secret_mounts: tuple[Secret, ...] = ()

    def identity(self) -> str:
        """Return a text that differs whenever the step would make something else."""
        parts = [f"{spec.name}={_identity_of(getattr(self, spec.name))}" for spec in fields(self)]
        return f"{type(self).__name__}({'; '.join(parts)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipOptions(Layer):
    """What all steps that install Python packages share."""

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    pre: bool = False
    extra_args: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipPackages(PipOptions):
    """Install packages by requirement, such as 'numpy>=2'."""

    packages: tuple[str, ...]

    def __post_init__(self) -> None:
        _require_texts(self, "packages", self.packages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements(PipOptions):
    """Install what a requirements file lists."""

    file: Path

    def __post_init__(self) -> None:
        if self.file.suffix != ".txt":
            raise InvalidSetting(f"Requirements file {self.file} must have a .txt extension", field="image")


@dataclass(frozen=True, slots=True, kw_only=True)
class UvProject(PipOptions):
    """Install a uv project, or only what it depends on."""

    pyproject: Path
    lock: Path | None = None
    project_install_mode: ProjectInstallMode = "dependencies_only"

    def __post_init__(self) -> None:
        require_choice("project_install_mode", self.project_install_mode, of=get_args(ProjectInstallMode))


@dataclass(frozen=True, slots=True, kw_only=True)
class UvScript(PipOptions):
    """Install the dependencies that a script declares in its header (PEP 723)."""

    script: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PoetryProject(Layer):
    """Install a poetry project, or only what it depends on."""

    pyproject: Path
    lock: Path | None = None
    extra_args: str | None = None
    project_install_mode: ProjectInstallMode = "dependencies_only"

    def __post_init__(self) -> None:
        require_choice("project_install_mode", self.project_install_mode, of=get_args(ProjectInstallMode))


@dataclass(frozen=True, slots=True, kw_only=True)
class PixiProject(Layer):
    """Install an environment of a pixi project, or of a pixi script."""

    manifest: Path
    lock: Path | None = None
    environment: str = "default"
    extra_args: str | None = None
    project_install_mode: ProjectInstallMode = "dependencies_only"

    def __post_init__(self) -> None:
        require_choice("project_install_mode", self.project_install_mode, of=get_args(ProjectInstallMode))


@dataclass(frozen=True, slots=True, kw_only=True)
class AptPackages(Layer):
    """Install Debian packages."""

    packages: tuple[str, ...]

    def __post_init__(self) -> None:
        _require_texts(self, "packages", self.packages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands(Layer):
    """Run shell commands."""

    commands: tuple[str, ...]

    def __post_init__(self) -> None:
        _require_texts(self, "commands", self.commands)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkDir(Layer):
    """Change the working folder of everything that follows."""

    workdir: str

    def __post_init__(self) -> None:
        _require_texts(self, "workdir", (self.workdir,))


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvVars(Layer):
    """Set environment variables in the image."""

    env_vars: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        for name, value in self.env_vars:
            if not isinstance(name, str) or not isinstance(value, str):
                raise InvalidSettingType(
                    f"Environment variable {name} must be a string, got {type(value)}", field="image"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFiles(Layer):
    """Copy files or a folder into the image."""

    sources: tuple[Path, ...]
    destination: str
    contents_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBundleFiles(Layer):
    """Copy the code of the deployment into the image; the builder knows which files those are."""

    copy_style: CopyStyle
    destination: str

    def __post_init__(self) -> None:
        require_choice("copy_style", self.copy_style, of=get_args(CopyStyle))


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerIgnore(Layer):
    """Leave out of every copy what a dockerignore file lists."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSdk(Layer):
    """Install the SDK as it is on this machine; for work on the SDK itself."""

    NAME: ClassVar[str] = "local sdk"


def require_choice(parameter: str, value: object, *, of: tuple[str, ...]) -> None:
    """Raise InvalidSetting for a value of a parameter that is none of its choices."""
    if value not in of:
        raise InvalidSetting(f"Invalid {parameter}: {value!r}. Must be one of {of}", field="image")


def _require_texts(layer: Layer, field: str, values: tuple[object, ...]) -> None:
    for index, value in enumerate(values):
        if isinstance(value, str):
            continue
        kind = type(value).__name__
        raise InvalidSettingType(
            f"{type(layer).__name__} field '{field}' contains a {kind} at index {index}: {value!r}. "
            "Hint: Pass items as separate arguments, e.g., 'vim', 'git' instead of ['vim', 'git'].",
            field="image",
        )


def _identity_of(value: object) -> str:
    if isinstance(value, Path):
        return _digest_of_path(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_identity_of, value))}]"
    return repr(value)


def _digest_of_path(path: Path) -> str:
    digest = hashlib.sha256()
    for file in _files_below(path):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(path).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return f"{path.name}@{digest.hexdigest()}"


def _files_below(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for entry in sorted(path.iterdir()):
        if entry.is_dir() and entry.name not in _IGNORED_FOLDERS:
            yield from _files_below(entry)
        elif entry.is_file() and entry.suffix != ".pyc":
            yield entry
