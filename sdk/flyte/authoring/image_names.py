"""Names for images, which the configuration or `flyte.init(images=...)` gives and `Image.from_ref_name` uses.

The name "default" stands for the image of every environment that names none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DEFAULT_NAME: Final = "default"

_uris: dict[str, str] = {}


def set_image_names(uris: Mapping[str, str]) -> None:
    """Replace all names of this process."""
    _uris.clear()
    _uris.update(uris)


def uri_of(name: str) -> str | None:
    """Return the URI that a name stands for, None for one that nobody gave."""
    return _uris.get(name)
