"""Names for images, which the configuration or `flyte.init(images=...)` gives and `Image.from_ref_name` uses.

The name "default" stands for the image of every environment that names none. Beside them the registry of images that
are to be built and name none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flyte.spec.image import Image

DEFAULT_NAME: Final = "default"

_uris: dict[str, str] = {}
_registry: str | None = None


def set_image_names(uris: Mapping[str, str], *, registry: str | None = None) -> None:
    """Replace all names of this process, and the registry of images that name none."""
    global _registry
    _uris.clear()
    _uris.update(uris)
    _registry = registry


def with_registry(image: Image) -> Image:
    """Return the image as it is built and pulled: in the registry of this process if it is built and names none."""
    if _registry is None or image.registry is not None or not image.needs_build:
        return image
    return image.clone(registry=_registry)


def uri_of(name: str) -> str | None:
    """Return the URI that a name stands for, None for one that nobody gave."""
    return _uris.get(name)
