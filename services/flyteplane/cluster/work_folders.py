"""The folder of each worker: its working directory, its temporary files, and a note by which a later platform finds
leftovers.

`work/<worker>/worker.json` names the worker's process group and when it started. It is there as long as the worker
may live, so a platform that was killed leaves behind all that the next one needs to end what still runs.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flyteplane.cluster.processes import boot_id, kill_group, start_time
from flyteplane.observe import get_logger

_log = get_logger("cluster")

_NOTE: Final = "worker.json"
_REMOVED: Final = ".removed-"


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """Where one worker works."""

    path: Path

    @property
    def temp(self) -> Path:
        """For temporary files."""
        return self.path / "tmp"

    @property
    def cwd(self) -> Path:
        """The working directory."""
        return self.path / "cwd"

    def create(self) -> Path | None:
        """Makes the folder, empty. Returns what was in its place, moved aside and still to be deleted. Raises
        OSError.
        """
        aside = self.remove() if self.path.exists() else None
        self.path.mkdir(mode=0o700)
        self.temp.mkdir(mode=0o700)
        self.cwd.mkdir(mode=0o700)
        return aside

    def note(self, *, process: int, boot: str) -> None:
        """Writes down whose folder it is."""
        content = json.dumps({"pgid": process, "start_time": start_time(process), "boot_id": boot})
        (self.path / _NOTE).write_text(content)

    def remove(self) -> Path | None:
        """Takes the folder away at once. What is not empty is moved aside: the path returned is still to be deleted."""
        try:
            for folder in (self.temp, self.cwd):
                folder.rmdir()
            (self.path / _NOTE).unlink(missing_ok=True)
            self.path.rmdir()
        except FileNotFoundError:
            if not self.path.exists():
                return None
        except OSError:
            pass
        else:
            return None
        aside = self.path.with_name(f"{_REMOVED}{os.urandom(6).hex()}")
        self.path.rename(aside)
        return aside


def delete(folder: Path) -> None:
    """Deletes a folder with all its contents; what cannot be deleted stays for the next sweep."""
    shutil.rmtree(folder, ignore_errors=True)


def sweep(root: Path) -> list[str]:
    """Ends the workers of a platform that was killed and removes their folders. Returns their names.

    To be called before the first worker is started, by the only platform that uses `root`.
    """
    if not root.is_dir():
        return []
    boot = boot_id()
    swept = []
    for folder in sorted(root.iterdir()):
        if not folder.name.startswith(_REMOVED):
            swept.append(folder.name)
            _end_owner(folder, boot=boot)
        delete(folder)
    return swept


def _end_owner(folder: Path, *, boot: str) -> None:
    try:
        note = json.loads((folder / _NOTE).read_text())
        if note["boot_id"] == boot and note["start_time"] is not None:
            kill_group(note["pgid"], leader_started=note["start_time"])
    except FileNotFoundError:
        # The platform was killed before the worker was there; a worker without a stream has ended by itself.
        return
    except (ValueError, KeyError, TypeError) as error:
        _log.warning("owner_of_folder_not_read", folder=str(folder), problem=str(error))
