"""Where the sources of this very SDK are, for images that are to have it as it is here."""

from __future__ import annotations

from pathlib import Path

import flyte
from flyte.errors import ImageBuildError


def local_sdk_source() -> Path:
    """The folder with the project file of an SDK that is used from its sources. Raises ImageBuildError for another."""
    for folder in Path(flyte.__file__).resolve().parents:
        if (folder / "pyproject.toml").is_file() and (folder / "sdk" / "flyte").is_dir():
            return folder
    raise ImageBuildError(
        "with_local_v2() copies the SDK's sources, and this SDK was installed without them. Leave it out, and name the "
        "version with Image.from_debian_base(flyte_version=...)."
    )
