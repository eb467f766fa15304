"""Unpacking a code bundle inside a container.

The bundle was stored by the platform under its digest, and is nevertheless not trusted: it is unpacked only if its
content has that digest, and within the limits of `flyte.spec.bundle_unpacking`.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from flyte.runner.pod.endings import CannotRun
from flyte.spec.bundle_unpacking import (
    MOST_ENTRIES,
    MOST_UNPACKED_BYTES,
    BundleTooLarge,
    BundleUnsafe,
    unpack_bundle,
)

_READ_BYTES: Final = 1 << 20
_SMALL_BYTES: Final = 1 << 20


def unpack(packed: Path, folder: Path, *, digest: str, most_bytes: int = MOST_UNPACKED_BYTES) -> None:
    """Unpacks a .tar.gz into a new folder. Raises CannotRun if it is not what it should be, or does not fit."""
    import tarfile
    import zlib

    if _digest_of(packed) != digest:
        raise CannotRun(f"The code bundle {digest} came with another content.", code="BUNDLE_DIGEST", recoverable=True)
    folder.mkdir(parents=True)
    try:
        unpack_bundle(packed, folder, most_bytes=most_bytes, most_entries=MOST_ENTRIES)
    except BundleTooLarge as error:
        message = f"The code bundle is larger than {error.limit} when unpacked."
        raise CannotRun(message, code="BUNDLE_TOO_LARGE") from error
    except BundleUnsafe as error:
        raise CannotRun(f"T{str(error)[1:]}.", code="BUNDLE_UNSAFE") from error
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise CannotRun(f"The code bundle {digest} is no gzipped tar: {error}.", code="BUNDLE_DAMAGED") from error
    except OSError as error:
        message = f"The code bundle {digest} cannot be unpacked in the container: {error}."
        raise CannotRun(message, code="BUNDLE_UNPACKING", recoverable=True) from error


def _digest_of(packed: Path) -> str:
    digest = _sha256(packed.stat().st_size)
    with packed.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    return str(digest.hexdigest())


def _sha256(size: int) -> Any:
    if size <= _SMALL_BYTES:
        # Python's own is slower, and there at once: `hashlib` loads OpenSSL, which takes longer than all the rest.
        with suppress(ImportError):
            return import_module("_sha256").sha256()
    return import_module("hashlib").sha256()
