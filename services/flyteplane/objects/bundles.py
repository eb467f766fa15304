"""Code bundles, unpacked once on this machine.

A bundle is `bundles/<sha256>.tar.gz` in the object store; its folder is `<root>/<sha256>`. The folder appears by a
rename, so it is whole or not there, whoever is killed meanwhile, and its content is checked against the digest that
names it.

A bundle comes from a user and is not trusted: see `flyte.spec.bundle_unpacking`.
"""

import asyncio
import os
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Final

from flyte.spec.bundle_unpacking import (
    MOST_ENTRIES,
    MOST_UNPACKED_BYTES,
    BundleTooLarge,
    BundleUnsafe,
    unpack_bundle,
)
from flyteplane.foundation.digest import digest_of_file, is_digest
from flyteplane.foundation.errors import DataLoss, InvalidArgument, NotFound, PlatformError, Unavailable
from flyteplane.objects.port import ObjectStore

_UNPACKING: Final = ".unpacking-"


class BundleStore:
    """Gives the folder of a bundle; unpacks it at the first call. Belongs to one event loop.

    Args:
        objects: where the packed bundles are.
        root: folder of the unpacked ones; made if it is missing.
        most_bytes, most_entries: limits of what one bundle may unpack to.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        root: Path,
        most_bytes: int = MOST_UNPACKED_BYTES,
        most_entries: int = MOST_ENTRIES,
    ) -> None:
        self._objects = objects
        self._root = root.absolute()
        self._most_bytes = most_bytes
        self._most_entries = most_entries
        self._known: dict[str, str] = {}
        self._unpacking: dict[str, asyncio.Task[str]] = {}

    async def bundle_path(self, digest: str) -> str:
        """The folder of a bundle.

        Raises:
            InvalidArgument: not a digest, or a bundle that is too large or reaches outside of its folder.
            NotFound: BUNDLE_NOT_FOUND.
            DataLoss: the stored bundle has another digest or is damaged.
            Unavailable: the disk cannot be written.
        """
        known = self._known.get(digest)
        if known is not None:
            return known
        if not is_digest(digest):
            raise InvalidArgument(
                "a bundle is named by a SHA-256 in hex", reason="BUNDLE_DIGEST", field="bundle_digest"
            )
        unpacking = self._unpacking.get(digest)
        if unpacking is None:
            # One caller may give up while others wait, so the work belongs to none of them.
            unpacking = asyncio.create_task(self._open(digest), name=f"bundle {digest[:12]}")
            unpacking.add_done_callback(lambda done: self._opened(digest, done))
            self._unpacking[digest] = unpacking
        return await asyncio.shield(unpacking)

    def remove_abandoned(self) -> None:
        """Remove what killed processes left half unpacked. Call it before the first bundle is asked for."""
        if self._root.is_dir():
            for folder in self._root.glob(f"{_UNPACKING}*"):
                shutil.rmtree(folder, ignore_errors=True)

    def _opened(self, digest: str, done: asyncio.Task[str]) -> None:
        self._unpacking.pop(digest, None)
        if not done.cancelled() and done.exception() is None:
            self._known[digest] = done.result()

    async def _open(self, digest: str) -> str:
        folder = self._root / digest
        if not folder.is_dir():
            await self._unpack(digest, folder)
        return str(folder)

    async def _unpack(self, digest: str, folder: Path) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=_UNPACKING, dir=self._root))
        except OSError as error:
            raise Unavailable(f"{self._root} cannot be written", reason="STORE_IO", mend="Check the disk.") from error
        try:
            packed = scratch / "bundle.tar.gz"
            await self._fetch(digest, packed)
            await asyncio.to_thread(self._extract, digest, packed, scratch / "content", folder)
        finally:
            await asyncio.to_thread(shutil.rmtree, scratch, True)

    async def _fetch(self, digest: str, to: Path) -> None:
        try:
            await self._objects.download(f"bundles/{digest}.tar.gz", to)
        except NotFound:
            raise NotFound(
                f"there is no code bundle {digest}",
                reason="BUNDLE_NOT_FOUND",
                field="bundle_digest",
                mend="Submit the run again; the SDK uploads what is missing.",
            ) from None

    def _extract(self, digest: str, packed: Path, scratch: Path, folder: Path) -> None:
        try:
            if digest_of_file(packed) != digest:
                raise DataLoss(f"the stored code bundle {digest} has another digest", reason="BUNDLE_DIGEST")
            scratch.mkdir()
            unpack_bundle(packed, scratch, most_bytes=self._most_bytes, most_entries=self._most_entries)
            _move(scratch, folder)
        except BundleTooLarge as error:
            raise _too_large(error) from error
        except BundleUnsafe as error:
            raise _unsafe(error) from error
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise DataLoss(f"the code bundle {digest} is no gzipped tar", reason="BUNDLE_DAMAGED") from error
        except OSError as error:
            raise _disk_failure(error, digest) from error


def _too_large(error: BundleTooLarge) -> InvalidArgument:
    return InvalidArgument(
        "the code bundle is too large when unpacked",
        reason="BUNDLE_TOO_LARGE",
        field="bundle_digest",
        limit=error.limit,
        mend="Leave data, environments and build results out of the bundle.",
    )


def _unsafe(error: BundleUnsafe) -> InvalidArgument:
    return InvalidArgument(
        str(error),
        reason="BUNDLE_UNSAFE",
        field="bundle_digest",
        mend="Bundle plain files and folders by relative names; replace links by what they point to.",
    )


def _move(scratch: Path, folder: Path) -> None:
    """Give the unpacked folder its name; another process that was quicker has made the same content."""
    try:
        os.rename(scratch, folder)
    except OSError:
        if not folder.is_dir():
            raise


def _disk_failure(error: OSError, digest: str) -> PlatformError:
    return Unavailable(
        f"the code bundle {digest} cannot be unpacked: {error.strerror or 'the disk failed'}",
        reason="STORE_IO",
        mend="Free some space or check the disk.",
    )
