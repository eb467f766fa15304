"""Which folder a code bundle is taken from, and what a file is called inside it.

A worker puts the bundle's root on its module path, so the name of a module is the dotted path of its file below the
root. The root is the one that was given; else the working folder if the file lies below it and all folders between
them have names of packages; else the folder that holds the file's outermost package.
"""

from __future__ import annotations

import functools
import keyword
import sys
from pathlib import Path

from flyte.client.init import current_settings
from flyte.errors import CodeBundleError


def choose_root(file: Path, *, given: Path | None, cwd: Path | None = None) -> Path:
    """Return the root of the bundle that a file belongs to.

    Raises CodeBundleError if a root was given and the file does not lie below it.
    """
    file = file.resolve()
    if given is not None:
        root = given.resolve()
        if not file.is_relative_to(root):
            raise CodeBundleError(
                f"{file} does not lie below the root folder {root}. Give a root_dir (--root-dir) that holds it."
            )
        return root
    here = (cwd or Path.cwd()).resolve()
    outside = not (here / "__init__.py").is_file()
    if outside and file.is_relative_to(here) and all(map(_is_package_name, file.relative_to(here).parent.parts)):
        return here
    return package_parent(file)


def module_name(file: Path, *, root: Path) -> str:
    """Return the dotted name of a file below a root.

    Raises CodeBundleError if a folder or the file has a dot in its name, which Python takes for the end of a package.
    """
    relative = file.resolve().relative_to(root.resolve())
    if not _is_importable(relative):
        raise CodeBundleError(
            f"{relative} cannot be imported: a folder or file has a dot in its name. Rename it, "
            f"or give a root_dir (--root-dir) nearer to the file."
        )
    parts = list(relative.with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def package_parent(file: Path) -> Path:
    """Return the folder that holds the outermost package of a file, or the file itself if it is in none."""
    folder = file.resolve().parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def import_folders(root: Path) -> list[str]:
    """Return the folders strictly below a root that modules are imported from here, relative to it.

    There are none for a process that declined with `flyte.init(sync_local_sys_paths=False)`.
    """
    settings = current_settings()
    if settings is not None and not settings.sync_local_sys_paths:
        return []
    return list(_import_folders(root.resolve(), tuple(sys.path)))


@functools.lru_cache(maxsize=64)
def _import_folders(root: Path, entries: tuple[str, ...]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for entry in entries:
        folder = Path(entry or ".").resolve()
        if folder != root and folder.is_relative_to(root) and not _is_installed(folder):
            found[str(folder.relative_to(root))] = None
    return tuple(found)


def _is_installed(folder: Path) -> bool:
    prefix = Path(sys.prefix).resolve()
    return folder.is_relative_to(prefix) or bool({"site-packages", "dist-packages"} & set(folder.parts))


def _is_importable(relative: Path) -> bool:
    # Names that no import statement could say, `01_hello` or `my-agents`, are imported by their text all the same.
    return not any("." in part for part in relative.with_suffix("").parts)


def _is_package_name(folder: str) -> bool:
    return folder.isidentifier() and not keyword.iskeyword(folder)
