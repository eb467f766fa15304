"""The container image of an environment, described by steps.

`Image` is immutable: every `with_...` returns another one. An image that only names a base is that base; everything
else has a `uri` made of registry, name and the digest of its steps, so that equal descriptions are one image, built
once, on every machine.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

from flyte.spec import image_layers as layers
from flyte.spec.failures import ImageBuildError
from flyte.spec.image_layers import CopyStyle, Layer, ProjectInstallMode
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.secrets import Secret, SecretRequest, normalise_secrets
from flyte.spec.version import __version__

Architecture: TypeAlias = Literal["linux/amd64", "linux/arm64"]
PathLike: TypeAlias = Path | str
PythonVersion: TypeAlias = tuple[int, int]

DEFAULT_REPOSITORY: Final = "ghcr.io/flyteplane/flyte"
"""Where the images with the SDK in them are published, one for each Python and SDK version."""

DEFAULT_IMAGE_NAME: Final = "flyte"
_USUAL_PLATFORM: Final[tuple[Architecture, ...]] = ("linux/amd64",)


def _running_python() -> PythonVersion:
    return sys.version_info[:2]


@dataclass(frozen=True, slots=True, init=False)
class Image:
    """A container image. Start with one of the `from_...` methods, then add steps with `with_...`."""

    base_image: str | None = None
    dockerfile: Path | None = None
    registry: str | None = None
    name: str | None = None
    platform: tuple[Architecture, ...] = _USUAL_PLATFORM
    python_version: PythonVersion = field(default_factory=_running_python)
    extendable: bool = False
    _is_cloned: bool = False
    _ref_name: str | None = None
    _layers: tuple[Layer, ...] = ()
    _image_registry_secret: Secret | None = None

    def __init__(self, *args: object, **kwargs: object) -> None:
        raise TypeError(
            "Direct instantiation of Image not allowed, please use one of the various from_...() methods instead"
        )

    @classmethod
    def _make(cls, **values: Any) -> Image:
        image = object.__new__(cls)
        for spec in fields(cls):
            default = spec.default_factory() if callable(spec.default_factory) else spec.default
            object.__setattr__(image, spec.name, values.get(spec.name, default))
        return image

    def _copy(self, **changes: Any) -> Image:
        return self._make(**{spec.name: getattr(self, spec.name) for spec in fields(self)} | changes)

    @classmethod
    def from_debian_base(
        cls,
        python_version: PythonVersion | None = None,
        flyte_version: str | None = None,
        install_flyte: bool = True,
        registry: str | None = None,
        registry_secret: str | Secret | None = None,
        name: str | None = None,
        platform: tuple[Architecture, ...] | None = None,
    ) -> Image:
        """Start with Debian, a Python (by default the running one) and, unless declined, the SDK."""
        version = _as_version(python_version or _running_python())
        return cls._make(
            base_image=default_image_uri(version, flyte_version) if install_flyte else plain_python_uri(version),
            registry=registry,
            name=name,
            platform=_as_platforms(platform),
            python_version=version,
            extendable=True,
            _is_cloned=bool(registry or name),
            _image_registry_secret=_as_secret(registry_secret),
        )

    @classmethod
    def from_base(cls, image_uri: str) -> Image:
        """Use an image as it is. To add steps to it, `clone(name=..., extendable=True)` it first."""
        return cls._make(base_image=image_uri)

    @classmethod
    def from_dockerfile(
        cls,
        file: PathLike,
        registry: str,
        name: str,
        platform: Architecture | tuple[Architecture, ...] | None = None,
    ) -> Image:
        """Build an image with a Dockerfile; the folder of the file is the context."""
        return cls._make(dockerfile=Path(file), registry=registry, name=name, platform=_as_platforms(platform))

    @classmethod
    def from_ref_name(cls, name: str = "default") -> Image:
        """Use the image that the configuration of the client, or `flyte.init(images=...)`, has under a name."""
        return cls._make(_ref_name=name, name=name)

    @classmethod
    def from_uv_script(
        cls,
        script: PathLike,
        *,
        name: str,
        registry: str | None = None,
        registry_secret: str | Secret | None = None,
        python_version: PythonVersion | None = None,
        index_url: str | None = None,
        extra_index_urls: str | list[str] | tuple[str, ...] | None = None,
        pre: bool = False,
        extra_args: str | None = None,
        platform: tuple[Architecture, ...] | None = None,
        secret_mounts: SecretRequest | None = None,
    ) -> Image:
        """Start with Debian and install what a script declares in its header (PEP 723)."""
        step = layers.UvScript(
            script=Path(script),
            index_url=index_url,
            extra_index_urls=_as_texts(extra_index_urls),
            pre=pre,
            extra_args=extra_args,
            secret_mounts=normalise_secrets(secret_mounts),
        )
        return cls.from_debian_base(
            python_version, registry=registry, registry_secret=registry_secret, name=name, platform=platform
        )._with(step)

    @classmethod
    def from_pixi_script(
        cls,
        script: PathLike,
        *,
        name: str,
        registry: str | None = None,
        registry_secret: str | Secret | None = None,
        environment: str = "default",
        extra_args: str | None = None,
        platform: tuple[Architecture, ...] | None = None,
        secret_mounts: SecretRequest | None = None,
    ) -> Image:
        """Start with Debian and install the pixi environment that a script declares in its header."""
        base = cls.from_debian_base(registry=registry, registry_secret=registry_secret, name=name, platform=platform)
        return base.with_pixi_project(
            script, environment=environment, extra_args=extra_args, secret_mounts=secret_mounts
        )

    def clone(
        self,
        registry: str | None = None,
        registry_secret: str | Secret | None = None,
        name: str | None = None,
        base_image: str | None = None,
        python_version: PythonVersion | None = None,
        addl_layer: Layer | None = None,
        extendable: bool | None = None,
        platform: Architecture | tuple[Architecture, ...] | None = None,
    ) -> Image:
        """Return a copy that differs in what is given."""
        if addl_layer is not None and not isinstance(addl_layer, Layer):
            raise InvalidSettingType(f"Expected addl_layer to be of type Layer, got {type(addl_layer)}", field="image")
        return self._copy(
            registry=registry or self.registry,
            name=name or self.name,
            base_image=base_image or self._base_with(_as_version(python_version or self.python_version)),
            python_version=python_version or self.python_version,
            extendable=self.extendable if extendable is None else extendable,
            platform=_as_platforms(platform) if platform else self.platform,
            _is_cloned=self._is_cloned or bool(registry or name),
            _layers=(*self._layers, addl_layer) if addl_layer else self._layers,
            _image_registry_secret=_as_secret(registry_secret) or self._image_registry_secret,
        )

    def with_pip_packages(
        self,
        *packages: str,
        index_url: str | None = None,
        extra_index_urls: str | list[str] | tuple[str, ...] | None = None,
        pre: bool = False,
        extra_args: str | None = None,
        secret_mounts: SecretRequest | None = None,
    ) -> Image:
        """Install Python packages by requirement."""
        return self._with(
            layers.PipPackages(
                packages=packages,
                index_url=index_url,
                extra_index_urls=_as_texts(extra_index_urls),
                pre=pre,
                extra_args=extra_args,
                secret_mounts=normalise_secrets(secret_mounts),
            )
        )

    def with_requirements(
        self,
        file: PathLike,
        index_url: str | None = None,
        extra_index_urls: str | list[str] | tuple[str, ...] | None = None,
        pre: bool = False,
        extra_args: str | None = None,
        secret_mounts: SecretRequest | None = None,
    ) -> Image:
        """Install what a requirements file (`.txt`) lists."""
        return self._with(
            layers.Requirements(
                file=Path(file),
                index_url=index_url,
                extra_index_urls=_as_texts(extra_index_urls),
                pre=pre,
                extra_args=extra_args,
                secret_mounts=normalise_secrets(secret_mounts),
            )
        )

    def with_uv_project(
        self,
        pyproject_file: PathLike,
        uvlock: Path | None = None,
        index_url: str | None = None,
        extra_index_urls: list[str] | tuple[str, ...] | None = None,
        pre: bool = False,
        extra_args: str | None = None,
        secret_mounts: SecretRequest | None = None,
        project_install_mode: ProjectInstallMode = "dependencies_only",
    ) -> Image:
        """Install a uv project, or only its dependencies. The lock file beside it is used if there is one."""
        pyproject = Path(pyproject_file)
        return self._with(
            layers.UvProject(
                pyproject=pyproject,
                lock=uvlock or _beside(pyproject, "uv.lock"),
                index_url=index_url,
                extra_index_urls=_as_texts(extra_index_urls),
                pre=pre,
                extra_args=extra_args,
                project_install_mode=project_install_mode,
                secret_mounts=normalise_secrets(secret_mounts),
            )
        )

    def with_poetry_project(
        self,
        pyproject_file: PathLike,
        poetry_lock: Path | None = None,
        extra_args: str | None = None,
        secret_mounts: SecretRequest | None = None,
        project_install_mode: ProjectInstallMode = "dependencies_only",
    ) -> Image:
        """Install a poetry project, or only its dependencies. The lock file beside it is used if there is one."""
        pyproject = Path(pyproject_file)
        return self._with(
            layers.PoetryProject(
                pyproject=pyproject,
                lock=poetry_lock or _beside(pyproject, "poetry.lock"),
                extra_args=extra_args,
                project_install_mode=project_install_mode,
                secret_mounts=normalise_secrets(secret_mounts),
            )
        )

    def with_pixi_project(
        self,
        manifest_file: PathLike,
        pixi_lock: Path | None = None,
        environment: str = "default",
        extra_args: str | None = None,
        secret_mounts: SecretRequest | None = None,
        project_install_mode: ProjectInstallMode = "dependencies_only",
    ) -> Image:
        """Install an environment of a pixi project, or only its dependencies."""
        manifest = Path(manifest_file)
        return self._with(
            layers.PixiProject(
                manifest=manifest,
                lock=pixi_lock or _beside(manifest, "pixi.lock"),
                environment=environment,
                extra_args=extra_args,
                project_install_mode=project_install_mode,
                secret_mounts=normalise_secrets(secret_mounts),
            )
        )

    def with_apt_packages(self, *packages: str, secret_mounts: SecretRequest | None = None) -> Image:
        """Install Debian packages."""
        return self._with(layers.AptPackages(packages=packages, secret_mounts=normalise_secrets(secret_mounts)))

    def with_commands(self, commands: list[str], secret_mounts: SecretRequest | None = None) -> Image:
        """Run shell commands."""
        if isinstance(commands, str):
            raise InvalidSettingType(f"Expected commands to be of type List[str], got {commands!r}", field="image")
        return self._with(layers.Commands(commands=tuple(commands), secret_mounts=normalise_secrets(secret_mounts)))

    def with_env_vars(self, env_vars: Mapping[str, str]) -> Image:
        """Set environment variables in the image; those of a task come on top."""
        if not isinstance(env_vars, Mapping):
            raise InvalidSettingType(
                f"Expected env_vars to be of type Dict[str, str], got {type(env_vars)}", field="image"
            )
        return self._with(layers.EnvVars(env_vars=tuple(env_vars.items())))

    def with_workdir(self, workdir: str) -> Image:
        """Change the working folder."""
        return self._with(layers.WorkDir(workdir=workdir))

    def with_source_file(self, src: Path | list[Path], dst: str = ".") -> Image:
        """Copy one or more files into the image."""
        sources = src if isinstance(src, list) else [src]
        return self._with(layers.CopyFiles(sources=tuple(map(Path, sources)), destination=dst))

    def with_source_folder(self, src: Path, dst: str = ".", copy_contents_only: bool = False) -> Image:
        """Copy a folder, or only what is in it, into the image."""
        return self._with(layers.CopyFiles(sources=(Path(src),), destination=dst, contents_only=copy_contents_only))

    def with_code_bundle(self, copy_style: CopyStyle = "loaded_modules", dst: str = ".") -> Image:
        """Copy the code of the deployment into the image instead of sending it along with runs."""
        return self._with(layers.CodeBundleFiles(copy_style=copy_style, destination=dst))

    def with_dockerignore(self, path: Path) -> Image:
        """Leave out of every copy what a dockerignore file lists."""
        return self._with(layers.DockerIgnore(path=Path(path)))

    def with_local_v2(self) -> Image:
        """Install the SDK as it is on this machine."""
        return self._with(layers.LocalSdk())

    def with_local_v2_plugins(self, plugins: str | list[str] | None = None) -> Image:
        """Refuse, with an ImageBuildError: this SDK has no packages of plugins beside it."""
        raise ImageBuildError(
            f"There are no plugins beside this SDK to install ({plugins or 'all'}). Install the package that holds a "
            "plugin with with_pip_packages(), or from its folder with with_uv_project()."
        )

    def with_local_rs_controller(self) -> Image:
        """Return the image as it is: this SDK has no part in Rust that would have to be installed."""
        return self

    def validate(self) -> None:
        """Raise InvalidSetting or FileNotFoundError if the image can never be built."""
        if self._ref_name is None:
            _ = self.uri

    @property
    def uri(self) -> str:
        """The reference under which the image is pulled.

        Raises ImageBuildError if there is no base, FileNotFoundError if a step names a file that does not exist.
        """
        if self._ref_name is not None:
            raise ImageBuildError(
                f"Image {self._ref_name!r} is a name in the configuration. Give it a URI with "
                f"flyte.init(images={{{self._ref_name!r}: '<uri>'}}) or in the section `image` of the configuration."
            )
        if self.dockerfile is None and not self.base_image:
            raise ImageBuildError(
                f"Image has no base image URI (got {self.base_image!r}). This usually means `Image.from_base()` was "
                "given `None` or an empty string, for example from an unset environment variable. Pass a full image "
                "URI such as `<registry>/<name>:<tag>`."
            )
        if self.base_image and not self._layers and not self._is_cloned:
            return self.base_image
        repository = "/".join(filter(None, (self.registry, self.name or DEFAULT_IMAGE_NAME)))
        return f"{repository}:{self.digest}"

    @property
    def needs_build(self) -> bool:
        """Whether the image has to be built, or can be pulled as it is."""
        return self._ref_name is None and (self.dockerfile is not None or bool(self._layers) or self._is_cloned)

    @property
    def digest(self) -> str:
        """The digest of everything that decides what is in the image.

        A clone of a base, and one package on top of it, have the digests that the peer SDK gives them: what it has
        pushed to a registry is found under the same name.
        """
        text = f"{self.base_image or ''}{self._plain_package() or ''.join(map(_as_part, self._identities()))}"
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    def _base_with(self, python_version: PythonVersion) -> str | None:
        """The base with another Python, if it is one of those that `from_debian_base` starts with."""
        if self.base_image == plain_python_uri(self.python_version):
            return plain_python_uri(python_version)
        published = default_image_uri(self.python_version, "")
        if self.base_image is None or not self.base_image.startswith(published):
            return self.base_image
        return default_image_uri(python_version, self.base_image.removeprefix(published))

    def _plain_package(self) -> str:
        """The requirement of an image that is its base and one Python package, nothing else; "" for all others."""
        if len(self._layers) != 1 or self.platform != _USUAL_PLATFORM or self.dockerfile is not None:
            return ""
        (layer,) = self._layers
        packages = layer.packages if isinstance(layer, layers.PipPackages) else ()
        return packages[0] if len(packages) == 1 and layer == layers.PipPackages(packages=packages) else ""

    def _identities(self) -> Iterable[str]:
        if self.dockerfile is not None:
            yield f"dockerfile={self.dockerfile.read_bytes().hex()}"
        if self.platform != _USUAL_PLATFORM:
            yield f"platform={','.join(self.platform)}"
        yield from (layer.identity() for layer in self._layers)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The steps on top of the base, in their order."""
        return self._layers

    @property
    def ref_name(self) -> str | None:
        """The name in the configuration that this image stands for, if it is one."""
        return self._ref_name

    @property
    def registry_secret(self) -> Secret | None:
        """The secret with which the image is pushed and pulled."""
        return self._image_registry_secret

    def _with(self, layer: Layer) -> Image:
        if not self.extendable:
            raise InvalidSetting(
                "Cannot add additional layers to a non-extendable image. "
                "Please create the image with extendable=True in the clone() call.",
                field="image",
            )
        return self._copy(_layers=(*self._layers, layer))


def default_image_uri(python_version: PythonVersion | None = None, flyte_version: str | None = None) -> str:
    """Return the published image with the SDK in it, for `image="auto"`."""
    major, minor = python_version or _running_python()
    return f"{DEFAULT_REPOSITORY}:py{major}.{minor}-v{__version__ if flyte_version is None else flyte_version}"


def plain_python_uri(python_version: PythonVersion) -> str:
    """Return the public image with Debian and a Python, without the SDK."""
    return f"python:{python_version[0]}.{python_version[1]}-slim-bookworm"


def check_image_request(request: object) -> None:
    """Raise InvalidSettingType unless the value is a str, an Image, or None."""
    if request is not None and not isinstance(request, str | Image):
        raise InvalidSettingType(f"Expected image to be of type str or Image, got {type(request)}", field="image")


def _as_secret(secret: str | Secret | None) -> Secret | None:
    return Secret(secret) if isinstance(secret, str) else secret


def _as_part(identity: str) -> str:
    return f"\n{identity}"


def _as_texts(texts: str | Iterable[str] | None) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts or ())


def _as_platforms(platform: Architecture | tuple[Architecture, ...] | None) -> tuple[Architecture, ...]:
    platforms: tuple[Architecture, ...] = (platform,) if isinstance(platform, str) else tuple(platform or ())
    for one in platforms:
        layers.require_choice("platform", one, of=get_args(Architecture))
    return platforms or _USUAL_PLATFORM


def _as_version(version: PythonVersion) -> PythonVersion:
    if not isinstance(version, tuple) or len(version) != 2 or not all(isinstance(part, int) for part in version):
        raise InvalidSettingType(
            f"Expected python_version to be a pair such as (3, 12), got {version!r}", field="image"
        )
    return version


def _beside(file: Path, name: str) -> Path | None:
    candidate = file.parent / name
    return candidate if candidate.exists() else None
