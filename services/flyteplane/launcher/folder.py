"""The folder of a platform: where things are, who holds it, and what it says of the running platform.

The lock is the kernel's (flock): it is gone with the process that holds it, however that ends. `platform.json` is
only a note for clients; it is written last, when the platform is ready, and a stale one harms nobody who asks for the
lock.
"""

import errno
import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from flyteplane.foundation.errors import FailedPrecondition, PlatformError, Unavailable

#: Room that must be there to begin: enough for the databases to come up and say what is wrong later.
_PROBE_BYTES: Final = 256 * 1024


class PlatformFolder:
    """The folder, once it is prepared and locked. Made by `open`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.objects_elsewhere = ""
        """URI of the object store if it is not the folder's own."""
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> "PlatformFolder":
        """Make the folder if it is missing, take its lock, and see that it can be written.

        Raises:
            FailedPrecondition: PLATFORM_RUNNING; another process holds it.
            Unavailable: it cannot be made, read or written, or the disk is full.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)
            lock = os.open(path / "platform.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            _take(lock, path)
            _probe(path)
        except BaseException:
            os.close(lock)
            raise
        folder = cls(path, lock)
        folder.withdraw()
        return folder

    def close(self) -> None:
        """Give the folder up."""
        self.withdraw()
        os.close(self._lock)

    @property
    def objects(self) -> Path:
        return self.path / "objects"

    @property
    def bundles(self) -> Path:
        return self.path / "bundles"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def mail(self) -> Path:
        """Mails to people, while the operator names no mail server."""
        return self.path / "mail"

    @property
    def log(self) -> Path:
        """The log of the services themselves."""
        return self.path / "platform.log"

    @property
    def keys(self) -> Path:
        """Folder of secret keys, readable by the owner only."""
        keys = self.path / "keys"
        keys.mkdir(mode=0o700, exist_ok=True)
        return keys

    @property
    def owner_key(self) -> Path:
        """File of the key with which its owner calls an embedded platform over the network of this machine."""
        return self.keys / "owner.key"

    @property
    def scratch(self) -> Path:
        """Folder of files that are of no use after a restart."""
        scratch = self.path / "scratch"
        scratch.mkdir(mode=0o700, exist_ok=True)
        return scratch

    def database_url(self, service: str) -> str:
        """URL of a service's database."""
        return f"sqlite:///{self.path / f'{service}.db'}"

    def announce(self, *, endpoint: str, version: str, console: str = "", certificate: str = "") -> None:
        """Say that the platform is ready, and where; `console`: where people look at it, if anywhere.

        `certificate` is the file of what the endpoint shows, for clients of this machine to know it by.
        """
        state: dict[str, object] = {"pid": os.getpid(), "endpoint": endpoint, "version": version}
        if console:
            state["console"] = console
        if certificate:
            state["certificate"] = certificate
        if self.objects_elsewhere:
            state["objects"] = self.objects_elsewhere
        temporary = self.path / ".platform.json"
        temporary.write_text(json.dumps(state) + "\n")
        temporary.replace(self.path / "platform.json")

    def announced_by(self) -> int | None:
        """The process that has said that it is ready; None if none has, or what stands there cannot be read."""
        try:
            return int(json.loads((self.path / "platform.json").read_text())["pid"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def withdraw(self) -> None:
        """Say no longer that a platform is ready."""
        with suppress(FileNotFoundError):
            (self.path / "platform.json").unlink()


def _take(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FailedPrecondition(
            f"a platform runs on {path} already{_holder(path, lock)}",
            reason="PLATFORM_RUNNING",
            mend="Use it, stop it with `flyte down`, or choose another folder with --data.",
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _holder(path: Path, lock: int) -> str:
    """Who holds the folder, as far as it says so."""
    try:
        state = json.loads((path / "platform.json").read_text())
        return f" (process {int(state['pid'])}, endpoint {state['endpoint']})"
    except (OSError, ValueError, KeyError, TypeError):
        # It is starting or stopping; the lock itself names its process.
        written = os.pread(lock, 32, 0).decode(errors="replace").strip()
        return f" (process {written}, not ready)" if written.isdecimal() else ""


def _probe(path: Path) -> None:
    """Write and flush some bytes: a read-only or full disk is better told now than by the fifth database."""
    probe = path / ".probe"
    try:
        with probe.open("wb") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _unusable(path, error) from error
    finally:
        with suppress(OSError):
            probe.unlink()


def _unusable(path: Path, error: OSError) -> PlatformError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what, mend = f"the disk of {path} is full", "Free some space, or choose another folder with --data."
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        what, mend = f"the folder {path} cannot be written", "Make it writable, or choose another folder with --data."
    elif error.errno in (errno.ENOTDIR, errno.EEXIST):
        what, mend = f"{path} is not a folder", "Choose another folder with --data."
    else:
        what = f"the folder {path} cannot be used: {error.strerror}"
        mend = "Choose another folder with --data."
    return Unavailable(what, reason="PLATFORM_FOLDER", mend=mend)
