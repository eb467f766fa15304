"""The folder that a build sees: the Containerfile and the files of its steps. It is gone when the build is over."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from flyte.images.recipe import Recipe

FILE_NAME: Final = "Containerfile"
_NEVER_COPIED: Final = shutil.ignore_patterns(
    "__pycache__", "*.pyc", ".git", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache"
)


def write_context(recipe: Recipe, folder: Path) -> Path:
    """Write everything that the recipe needs into an empty folder; returns the Containerfile."""
    for source, inside in recipe.files:
        target = folder / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=_NEVER_COPIED, dirs_exist_ok=True, symlinks=True)
        else:
            shutil.copy2(source, target)
    if recipe.ignored:
        (folder / ".dockerignore").write_text("\n".join(recipe.ignored) + "\n")
    file = folder / FILE_NAME
    file.write_text(recipe.text)
    return file


def write_secret(folder: Path, name: str, value: bytes) -> Path:
    """Write a value that the build may read, for this user only; the folder is no part of the context."""
    path = folder / name
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(value)
    return path
