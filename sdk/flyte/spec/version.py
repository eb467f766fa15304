"""The version of the SDK, readable without loading package metadata."""

from __future__ import annotations

from typing import Final

__version__: Final = "0.1.0"


def version() -> str:
    """Return the version of the SDK."""
    return __version__
