"""`flyte.build` and `flyte.build_images`: container images for tasks that run in pods.

A platform of one machine needs none of this: its processes are given the packages that an image names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flyte.authoring.environment import Environment
from flyte.authoring.image_build import ImageBuild
from flyte.authoring.image_names import with_registry
from flyte.authoring.registry import with_dependencies
from flyte.spec.image import Image
from flyte.spec.problems import InvalidSettingType
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyte.client.settings import ClientSettings
    from flyte.images.recipe import CodeFiles
    from flyte.spec.image_layers import CopyStyle


@syncify
async def build(image: Image, dry_run: bool = False, force: bool = False, wait: bool = True) -> ImageBuild:
    """Build an image with docker or buildah, whichever works here, and return its reference.

    It is pushed if it names a registry, and not built again if it was built before. With `dry_run` only its reference
    is worked out; `force` builds in any case. A build is always waited for, whatever `wait` says.

    Raises ImageBuildError, with the end of what the tool said, FileNotFoundError for a file that a step names, and
    InvalidSettingType for what is no image.
    """
    if not isinstance(image, Image):
        raise InvalidSettingType(f"Expected image to be of type Image, got {type(image)}", field="image")
    return await build_with(None, image, dry_run=dry_run, force=force)


@syncify
async def build_images(
    *envs: Environment, copy_style: CopyStyle = "loaded_modules", seed_cache: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Build the images of environments and of all that they depend on; return their references by environment.

    Each image is built once, two at a time. `seed_cache` are references that are known already. `copy_style` is that of
    the deployment and is only checked here: an image that holds code says itself how, with `with_code_bundle`.

    Raises ImageBuildError and FileNotFoundError, see `build`, ValueError for a style that does not exist, and
    InvalidSettingType for what is no environment.
    """
    from flyte.client.bundle import check_copy_style

    check_copy_style(copy_style)
    for environment in envs:
        if not isinstance(environment, Environment):
            raise InvalidSettingType(f"Expected Environment, got {type(environment)}", field="envs")

    references: dict[str, str] = dict(seed_cache or {})
    images: dict[str, Image] = {}
    for environment in with_dependencies(envs):
        image = environment.image
        if environment.name in references:
            continue
        if isinstance(image, Image):
            images[environment.name] = with_registry(image)
        else:
            references[environment.name] = image or "auto"
    await _build(list(images.values()), force=False)
    return references | {name: _reference_of(image) for name, image in images.items()}


async def build_with(builder: str | None, image: Image, *, dry_run: bool, force: bool) -> ImageBuild:
    """Build an image with a tool by name, None for the one that `flyte.init` names; see `build`."""
    named = with_registry(image)
    if not dry_run:
        await _build([named], force=force, builder=builder)
    return ImageBuild(uri=named.uri)


async def find_built(image: Image) -> str | None:
    """Return the reference of an image that is there already, as far as the tool of this machine knows."""
    from flyte.images.engine import is_built_here

    named = with_registry(image)
    found = not named.needs_build or await is_built_here(named, tool=_settings().image_builder)
    return named.uri if found else None


async def _build(images: Sequence[Image], *, force: bool, builder: str | None = None) -> None:
    from flyte.images.engine import build_here

    settings = _settings()
    files = _code_files(settings.root_dir or Path.cwd())
    await build_here(images, tool=builder or settings.image_builder, force=force, code_files=files)


def _settings() -> ClientSettings:
    from flyte.client.init import current_settings
    from flyte.client.settings import ClientSettings

    return current_settings() or ClientSettings()


def _reference_of(image: Image) -> str:
    from flyte.wire.images import image_to_proto

    return image_to_proto(image).uri


def _code_files(root: Path) -> CodeFiles:
    from flyte.client.bundle_files import loaded_module_files, tree_files

    root = root.resolve()

    def files(copy_style: CopyStyle) -> list[tuple[Path, str]]:
        found = tree_files(root) if copy_style == "all" else loaded_module_files(root)
        return [(path, path.relative_to(root).as_posix()) for path in found]

    return files
