"""The configuration of the git repository that a program is started in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyte.config import Config

__all__ = ["config_from_root"]


def config_from_root(path: Path | str = ".flyte/config.yaml") -> Config | None:
    """Return the configuration at a path below the root of this repository; None without repository or file.

    Raises ValueError for a file that cannot be read.
    """
    from flyte.config import auto
    from flyte.config.files import repository_root

    root = repository_root(Path.cwd())
    file = root / path if root is not None else None
    return auto(file) if file is not None and file.is_file() else None


def __getattr__(name: str) -> Any:
    if name == "GitStatus":
        raise ImportError(
            "flyte.git.GitStatus is not part of this SDK. Give flyte.deploy a version of your own, such as the commit."
        )
    raise AttributeError(f"module 'flyte.git' has no attribute {name!r}")
