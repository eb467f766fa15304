"""A copy of an embedded platform's folder, made while the platform runs.

    python -m flyteplane.launcher backup --data DIR --to FOLDER

The databases are copied as of one moment, and objects, keys and output behind them, so everything that the databases
name is there. What is made is a platform's folder itself: in the place of the old one it is what `flyte up` goes on
with. It is written beside its name and renamed last; one that was interrupted is never taken for a backup.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from flyteplane.foundation.errors import FailedPrecondition, InvalidArgument, PlatformError, Unavailable
from flyteplane.foundation.folders import flush_folder
from flyteplane.launcher.folder import PlatformFolder
from flyteplane.launcher.service_addresses import FIXED_SERVICES
from flyteplane.objects.folder import TEMPORARY


def back_up(data: Path, *, to: Path) -> list[str]:
    """Copy the platform in the folder `data` to the new folder `to`; returns what was copied, a line each.

    Raises:
        InvalidArgument: there is no such platform, or its records are not in files.
        FailedPrecondition: `to` is there already.
        Unavailable, DataLoss: something cannot be read or written; nothing named `to` is left then.
    """
    data, to = data.expanduser().absolute(), to.expanduser().absolute()
    folder = PlatformFolder(data, lock=-1)
    databases = [data / f"{service}.db" for service in FIXED_SERVICES]
    _refuse_absent(data, databases)
    if to.exists():
        raise FailedPrecondition(f"{to} is there already", field="to", mend="Name a folder that is not there yet.")
    partial = to.with_name(f"{to.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700, parents=True)
        lines = [_copy_databases(databases, partial)]
        lines += [_copy_folder(source, partial) for source in (folder.objects, folder.logs, data / "keys")]
        flush_folder(partial)
        partial.rename(to)
        flush_folder(to.parent)
    except OSError as error:
        raise Unavailable(
            f"the backup cannot be written to {partial}: {error.strerror}",
            reason="BACKUP",
            mend="Check room and rights there, and remove what is left of it.",
        ) from error
    return lines


def _refuse_absent(data: Path, databases: list[Path]) -> None:
    missing = [path.name for path in databases if not path.is_file()]
    if missing:
        raise InvalidArgument(
            f"{data} does not hold the databases of a platform: {', '.join(missing)} missing",
            field="data",
            mend="Name the folder that `flyte up` shows as `data`. Records in PostgreSQL are kept with pg_dump.",
        )


def _copy_databases(databases: list[Path], to: Path) -> str:
    from flyteplane.records.snapshot import snapshot_sqlite

    snapshot_sqlite({path: to / path.name for path in databases})
    size = sum((to / path.name).stat().st_size for path in databases)
    return f"databases: {len(databases)}, {_mebibytes(size)}"


def _copy_folder(source: Path, to: Path) -> str:
    """Copy a folder, but for what is being written at this moment."""
    files = size = 0
    for path in _files_below(source):
        target = to / source.name / path.relative_to(source)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            shutil.copy2(path, target)
        except FileNotFoundError:
            # The cache has removed an old result since the folder was read.
            continue
        with target.open("rb") as copy:
            os.fsync(copy.fileno())
        files, size = files + 1, size + target.stat().st_size
    return f"{source.name}: {files}, {_mebibytes(size)}"


def _files_below(folder: Path) -> Iterator[Path]:
    for path, _, names in os.walk(folder):
        for name in names:
            if not name.startswith(TEMPORARY):
                yield Path(path, name)


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def run_backup(data: Path, *, to: Path) -> int:
    """The program; returns its exit code: 0, or 1 for a backup that was not made."""
    try:
        lines = back_up(data, to=to)
    except PlatformError as error:
        print(f"backup: {' '.join(error.public_text.split())}", file=sys.stderr)
        return 1
    print("\n".join([*lines, f"backup: {to}"]))
    return 0


#: Of the program's command line.
HELP: Final = "Copy an embedded platform while it runs; the copy is a platform's folder itself."
