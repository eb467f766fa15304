"""Unpacking a code bundle inside a container.

The bundle was stored by the platform under its digest, and is nevertheless not trusted: it is unpacked only if its
content has that digest, and within the limits of `flyte.spec.bundle_unpacking`.
"""

from __future__ import annotations

from pathlib import Path

from flyte.runner.pod.endings import CannotRun
from flyte.spec.bundle_unpacking import (
    MOST_ENTRIES,
    MOST_UNPACKED_BYTES,
    BundleTooLarge,
    BundleUnsafe,
    unpack_bundle,
)


def unpack(packed: Path, folder: Path, *, digest: str, most_bytes: int = MOST_UNPACKED_BYTES) -> None:
    """Unpacks a .tar.gz into a new folder. Raises CannotRun if it is not what it should be, or does not fit."""
    import hashlib
    import tarfile
    import zlib

    with packed.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != digest:
            raise CannotRun(
                f"The code bundle {digest} came with another content.", code="BUNDLE_DIGEST", recoverable=True
            )
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
