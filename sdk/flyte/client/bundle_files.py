"""Which files go into a code bundle.

`loaded_modules` takes what the program has imported from below the root: never the standard library, installed
packages or the SDK itself. `all` takes the tree, without what version control, editors, caches and virtual environments
leave there and without what the root's `.flyteignore` or `.gitignore` names.
"""

from __future__ import annotations

import fnmatch
import functools
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from flyte.errors import CodeBundleError

IGNORED_FOLDERS: Final = frozenset(
    {
        *(".git", ".hg", ".svn", ".venv", "venv", "env", ".env", "node_modules", "__pycache__", ".mypy_cache"),
        *(".pytest_cache", ".ruff_cache", ".tox", ".nox", ".idea", ".vscode", ".flyte", ".ipynb_checkpoints"),
    }
)
IGNORED_FILES: Final = ("*.pyc", "*.pyo", "*.so.tmp", ".DS_Store", ".coverage", "*.swp")
_OWN_PACKAGES: Final = frozenset({"flyte", "flyteapi", "flyteplane"})


def loaded_module_files(root: Path) -> list[Path]:
    """Return the files of the modules that are imported now and lie below the root."""
    root = root.resolve()
    found = {
        path
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] not in _OWN_PACKAGES
        if (file := getattr(module, "__file__", None)) and (path := _own_source(file, root)) is not None
    }
    return sorted(found)


def tree_files(root: Path) -> list[Path]:
    """Return the files below the root, without what is ignored."""
    root = root.resolve()
    return sorted(_walk(root, patterns=_ignore_patterns(root)))


def included_files(patterns: Iterable[str], *, base: Path, root: Path) -> list[Path]:
    """Return the files that an environment's `include` names: paths, folders or globs, relative to its file.

    Raises CodeBundleError for a pattern that matches nothing or leaves the root.
    """
    found: set[Path] = set()
    for pattern in patterns:
        matched = _matches(pattern, base=base)
        outside = [path for path in matched if not path.is_relative_to(root.resolve())]
        if not matched or outside:
            reason = "matches no file" if not matched else f"leaves the root folder {root}"
            raise CodeBundleError(f"include pattern {pattern!r} (relative to {base}) {reason}")
        found.update(matched)
    return sorted(found)


def _matches(pattern: str, *, base: Path) -> list[Path]:
    candidates = [base / pattern] if (base / pattern).exists() else sorted(base.glob(pattern))
    files: list[Path] = []
    for candidate in candidates:
        files += tree_files(candidate) if candidate.is_dir() else [candidate.resolve()]
    return files


@functools.lru_cache(maxsize=16384)
def _own_source(file: str, root: Path) -> Path | None:
    """Return the path of a module's source if it lies below the root and was not installed there.

    Kept for the process: a program has hundreds of modules, and asking the disk for each would cost every submission.
    """
    if not file.endswith(".py") or not os.path.isfile(file):
        return None
    path = Path(file).resolve()
    return path if path.is_relative_to(root) and not _is_installed(path) else None


def _is_installed(path: Path) -> bool:
    parts = set(path.parts)
    if {"site-packages", "dist-packages"} & parts:
        return True
    standard_library = Path(os.__file__).resolve().parent
    return path.is_relative_to(standard_library) or path.is_relative_to(Path(sys.prefix).resolve())


def _walk(root: Path, *, patterns: Sequence[str]) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if name not in IGNORED_FOLDERS
            and not (here / name / "pyvenv.cfg").exists()
            and not _is_ignored(here / name, root=root, patterns=patterns, is_folder=True)
        )
        for name in names:
            path = here / name
            if path.is_file() and not _is_ignored(path, root=root, patterns=patterns, is_folder=False):
                yield path


def _ignore_patterns(root: Path) -> list[str]:
    for name in (".flyteignore", ".gitignore"):
        if (root / name).is_file():
            lines = (line.strip() for line in (root / name).read_text(errors="replace").splitlines())
            return [*IGNORED_FILES, *(line for line in lines if line and not line.startswith(("#", "!")))]
    return list(IGNORED_FILES)


def _is_ignored(path: Path, *, root: Path, patterns: Sequence[str], is_folder: bool) -> bool:
    relative = path.relative_to(root).as_posix()
    return any(_pattern_hits(pattern, relative, is_folder=is_folder) for pattern in patterns)


def _pattern_hits(pattern: str, relative: str, *, is_folder: bool) -> bool:
    if pattern.endswith("/"):
        if not is_folder:
            return False
        pattern = pattern[:-1]
    if "/" in pattern:
        return fnmatch.fnmatch(relative, pattern.lstrip("/"))
    return fnmatch.fnmatch(relative.rpartition("/")[2], pattern)
