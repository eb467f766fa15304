"""Secret keys in files of their own.

A key is 32 random bytes, written once and never changed. Its file appears whole or not at all, whenever the process
is killed, and several processes that make it at the same time end up with the same key. A file that others may read
is refused rather than used: whatever it protects is no secret any more.

A key may also be handed to the process by root, read-only, through a group that it belongs to. That is how Kubernetes
mounts a Secret for a process that is not root (`defaultMode: 0440` or `0400` with `fsGroup`); each file there is a link
into the folder `..data` beside it, and no other link is followed.
"""

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from flyteplane.foundation.errors import FailedPrecondition, PlatformError, Unavailable
from flyteplane.foundation.folders import flush_folder

KEY_BYTES: Final = 32
#: Reason of every error of this module that a person has to mend.
UNUSABLE: Final = "KEY_FILE"
_NOBODY_ELSE: Final = 0o077
#: Modes of a file that root hands to a group.
_HANDED_OVER: Final = (0o400, 0o440)
#: Where a volume of Kubernetes keeps what its files link to.
_VOLUME_DATA: Final = "..data"


def ensure_key_file(path: Path, *, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> bytes:
    """The key in `path`; it is made first if there is none. Raises as `read_key_file` does."""
    if not os.path.lexists(path):
        create_key_file(path, key=random_bytes(KEY_BYTES))
    return read_key_file(path)


def create_key_file(path: Path, *, key: bytes) -> bool:
    """Writes a key to a new file of mode 0600, durably; returns False and leaves it as it is if there is one already.

    Raises Unavailable if it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write(temporary, key)
        try:
            # Unlike a rename, a link never takes the place of a key that somebody else has just made.
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
        flush_folder(path.parent)
    except OSError as error:
        raise Unavailable(
            f"the key file {path} cannot be made: {error.strerror}",
            reason=UNUSABLE,
            mend="See that its folder exists, is yours and has room; a folder that is mounted has to bring the key.",
        ) from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    return True


def read_key_file(path: Path) -> bytes:
    """The key in an existing file.

    Raises:
        FailedPrecondition: KEY_FILE; the file is missing, somebody else's, open to others, or holds no key.
        Unavailable: it cannot be read.
    """
    key = read_private_file(path, most_bytes=KEY_BYTES)
    if len(key) != KEY_BYTES:
        raise _refusal(path, f"does not hold a key of {KEY_BYTES} bytes", "Restore it from a backup.")
    return key


def read_private_file(path: Path, *, most_bytes: int) -> bytes:
    """What is in a file that nobody else may read; one byte more than `most_bytes` if there is more.

    Raises FailedPrecondition and Unavailable as `read_key_file` does.
    """
    try:
        descriptor = os.open(_in_volume(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise _refusal(path, "does not exist", "Restore it from a backup.") from None
    except OSError as error:
        raise Unavailable(f"the key file {path} cannot be read: {error.strerror}", reason=UNUSABLE) from error
    try:
        _refuse_shared(path, os.fstat(descriptor))
        return os.read(descriptor, most_bytes + 1)
    finally:
        os.close(descriptor)


def _in_volume(path: Path) -> Path:
    """Where the file of a volume really is; any other path as it is."""
    try:
        target = path.readlink()
    except OSError:
        return path
    return path.parent / target if target == Path(_VOLUME_DATA, path.name) else path


def _refuse_shared(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _refusal(path, "is no plain file", "Put the key there as a plain file.")
    if found.st_uid == 0 and stat.S_IMODE(found.st_mode) in _HANDED_OVER:
        return
    if found.st_uid != os.geteuid():
        raise _refusal(path, "belongs to another user", "Make the user of this process its owner.")
    if found.st_mode & _NOBODY_ELSE:
        mode = stat.S_IMODE(found.st_mode)
        raise _refusal(
            path,
            f"may be read or changed by others (mode {mode:04o})",
            f"Close it with `chmod 600 {path}`, and replace the key if somebody may have seen it.",
        )


def _refusal(path: Path, what: str, mend: str) -> PlatformError:
    return FailedPrecondition(f"the key file {path} {what}", reason=UNUSABLE, mend=mend)


def _write(path: Path, key: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(descriptor)
