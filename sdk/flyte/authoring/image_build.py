"""What building an image gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ImageBuild:
    """The result of building an image.

    - `uri`: the reference under which the image is there; None while it is being built.
    - `remote_run`: the run that builds it, if one does.
    """

    uri: str | None
    remote_run: Any = None
    build_run: Any = None
