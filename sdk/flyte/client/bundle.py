"""Code bundles: the user's files in one archive that the same content always gives the same bytes.

Entries are sorted and carry no times, owners or modes but "executable", so the SHA-256 of the archive addresses the
code: what the platform has is never sent again. An archive is made once for an unchanged set of files in a process.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args

from flyte.client.bundle_files import included_files, loaded_module_files, tree_files
from flyte.client.source_root import import_folders
from flyte.errors import CodeBundleError
from flyte.wire.bundle_layout import IMPORT_FOLDERS_ENTRY

CopyStyle = Literal["loaded_modules", "all", "none", "custom"]

MAX_BUNDLE_BYTES: Final = 100 * 1024 * 1024
"""Every fresh worker of the run loads it: more than code weighs is data, and belongs into storage."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """An archive (tar, gzip) of code."""

    digest: str
    """SHA-256 of the archive, hex."""

    archive: bytes
    files: tuple[str, ...]
    """Its files, relative to the root."""


def check_copy_style(copy_style: str) -> CopyStyle:
    """Return the style, or raise ValueError for one that does not exist or is not supported."""
    if copy_style not in get_args(CopyStyle):
        raise ValueError(f"copy_style must be 'loaded_modules', 'all' or 'none', got {copy_style!r}")
    if copy_style == "custom":
        raise ValueError("copy_style 'custom' is not supported: use 'loaded_modules', 'all' or 'none'")
    return cast(CopyStyle, copy_style)


def collect_files(
    copy_style: CopyStyle, *, root: Path, task_files: Iterable[Path], includes: Mapping[Path, Iterable[str]]
) -> list[Path]:
    """Return the files of a bundle, sorted; `includes` maps the folder of an environment's file to its patterns.

    Raises CodeBundleError for an include that matches nothing.
    """
    files = set(tree_files(root) if copy_style == "all" else loaded_module_files(root))
    files.update(path.resolve() for path in task_files)
    for base, patterns in includes.items():
        files.update(included_files(patterns, base=base, root=root))
    return sorted(files)


def make_bundle(files: Iterable[Path], *, root: Path) -> Bundle:
    """Return the bundle of some files below a root.

    Raises CodeBundleError if there are none, if one cannot be read, or if they weigh more than 100 MiB.
    """
    root = root.resolve()
    paths = sorted(files)
    if not paths:
        raise CodeBundleError(f"No files to bundle were found below {root}")
    folders = tuple(import_folders(root))
    key = (root, folders, _signature(paths))
    found = _made.get(key)
    if found is None:
        _made.clear()
        found = _made[key] = _pack(paths, root=root, folders=folders)
    return found


_Signature = tuple[tuple[Path, int, int], ...]
_made: dict[tuple[Path, tuple[str, ...], _Signature], Bundle] = {}


def _signature(paths: Iterable[Path]) -> _Signature:
    try:
        stats = [(path, path.stat()) for path in paths]
    except OSError as error:
        raise CodeBundleError(f"{error.filename} cannot be read: {error.strerror}") from error
    total = sum(stat.st_size for _, stat in stats)
    if total > MAX_BUNDLE_BYTES:
        largest, stat = max(stats, key=lambda item: item[1].st_size)
        raise CodeBundleError(
            f"The code weighs {total / 2**20:.0f} MiB; the limit is {MAX_BUNDLE_BYTES / 2**20:.0f} MiB. The largest "
            f"file is {largest} ({stat.st_size / 2**20:.0f} MiB). Name it in .flyteignore, give a smaller root_dir, "
            f"or pass data as a flyte.io.File."
        )
    return tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats)


def _pack(paths: Iterable[Path], *, root: Path, folders: tuple[str, ...]) -> Bundle:
    buffer = io.BytesIO()
    names: list[str] = []
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0, compresslevel=6) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        if folders:
            _add(archive, IMPORT_FOLDERS_ENTRY, "\n".join(folders).encode(), executable=False)
        for path in paths:
            names.append(path.relative_to(root).as_posix())
            _add(archive, names[-1], _content(path), executable=bool(path.stat().st_mode & 0o100))
    content = buffer.getvalue()
    return Bundle(digest=hashlib.sha256(content).hexdigest(), archive=content, files=tuple(names))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CodeBundleError(f"{path} cannot be read: {error.strerror}") from error


def _add(archive: tarfile.TarFile, name: str, content: bytes, *, executable: bool) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o755 if executable else 0o644
    archive.addfile(entry, io.BytesIO(content))
