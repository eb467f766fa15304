"""Building images: what it gives, and what whoever extends it implements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from flyte.spec.image import Architecture, Image


@dataclass(frozen=True, slots=True)
class ImageBuild:
    """The result of building an image.

    - `uri`: the reference under which the image is there; None while it is being built.
    - `remote_run`: the run that builds it, if one does.
    """

    uri: str | None
    remote_run: Any = None
    build_run: Any = None


class ImageBuilder(Protocol):
    """Builds images in one way."""

    async def build_image(self, image: Image, dry_run: bool, wait: bool = True, force: bool = False) -> ImageBuild:
        """Build an image and return where it is."""
        ...

    def get_checkers(self) -> list[type[ImageChecker]] | None:
        """Return ways to see whether an image is there already; None for the usual ones."""
        ...


class ImageChecker(Protocol):
    """Looks for images in one place."""

    @classmethod
    async def image_exists(
        cls, repository: str, tag: str, arch: tuple[Architecture, ...] = ("linux/amd64",)
    ) -> str | None:
        """Return the reference of an image if it is there, None otherwise."""
        ...


class ImageBuildEngine:
    """Builds images the way that this process is set up for."""

    @classmethod
    async def build(
        cls, image: Image, builder: str | None = None, dry_run: bool = False, force: bool = False, wait: bool = True
    ) -> ImageBuild:
        """Build an image, see `flyte.build`; `builder` takes the place of the one that `flyte.init` names.

        Raises ImageBuildError for one that this SDK cannot build.
        """
        from flyte.images.build import build_with

        return await build_with(builder, image, dry_run=dry_run, force=force)

    @staticmethod
    async def image_exists(image: Image) -> str | None:
        """Return the reference of an image that needs no build, or was built with the tool of this machine; or None.

        Raises ImageBuildError where there is no tool.
        """
        from flyte.images.build import find_built

        return await find_built(image)
