"""`flyte.ctx().checkpoint`: what a task keeps so that its next attempt can go on from there.

An attempt writes below its own prefix only, one object for a checkpoint, as a whole or not at all; so an attempt that
was given up can never spoil what another reads. The next attempt reads the newest checkpoint of those before it: an
attempt that died before it saved anything takes nothing away.
"""

from __future__ import annotations

import abc
import io
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import tarfile

_TREE: Final = "tree"
_DATA: Final = "checkpoint"
_LAST: Final = "**/last.ckpt"


class BaseCheckpoint(abc.ABC):
    """Keeps the state of a task from one attempt to the next."""

    @property
    @abc.abstractmethod
    def path(self) -> Path:
        """The folder of this machine that checkpoints are restored into."""

    @abc.abstractmethod
    def prev_exists(self) -> bool:
        """Tell whether there is something to load. Blocks."""

    @abc.abstractmethod
    def load_sync(self) -> Path | None:
        """Restore the newest checkpoint; return its file or folder, None if there is none."""

    @abc.abstractmethod
    def save_sync(self, data: Path | str | bytes) -> None:
        """Keep bytes, or the file or folder at a path, in place of what was kept before."""

    async def load(self) -> Path | None:
        """Do as `load_sync` without blocking the loop."""
        import asyncio

        return await asyncio.to_thread(self.load_sync)

    async def save(self, data: Path | str | bytes) -> None:
        """Do as `save_sync` without blocking the loop."""
        import asyncio

        await asyncio.to_thread(self.save_sync, data)


class Checkpoint(BaseCheckpoint):
    """A checkpoint in an object store.

    - `checkpoint_dest`: address that this attempt writes to.
    - `checkpoint_src`: address that an attempt before may have written to, None for none.
    - `sources`: further such addresses, the newest first.
    """

    def __init__(self, checkpoint_dest: str, checkpoint_src: str | None = None, *, sources: Sequence[str] = ()) -> None:
        self._destination = checkpoint_dest
        self._sources = sources if checkpoint_src is None else (checkpoint_src, *sources)
        self._folder: Path | None = None

    @property
    def remote_destination(self) -> str:
        """The address that this attempt writes to."""
        return self._destination

    @property
    def remote_source(self) -> str | None:
        """The address that the attempt before wrote to, None for the first attempt."""
        return self._sources[0] if self._sources else None

    @property
    def path(self) -> Path:
        """The folder of this machine that checkpoints are restored into; it goes with the attempt, else the process."""
        if self._folder is None:
            import shutil
            import tempfile

            self._folder = Path(tempfile.mkdtemp(prefix="flyte-checkpoint-"))
            weakref.finalize(_lasting(), shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    def prev_exists(self) -> bool:
        """Tell whether this attempt or one before it has saved something. Blocks."""
        return self._newest() is not None

    def load_sync(self) -> Path | None:
        """Restore the newest checkpoint; return its file or folder, None if there is none.

        Bytes are restored as a file. Raises OSError if it cannot be read.
        """
        import shutil
        import tarfile

        from flyte.storage import objects

        newest = self._newest()
        if newest is None:
            return None
        archive = self.path / "archive.tar"
        restored = self.path / "restored"
        objects.get_file(newest, archive)
        shutil.rmtree(restored, ignore_errors=True)
        with tarfile.open(archive) as tar:
            # Debian 12 has a Python from before 3.11.4, which knows no filters. What is restored is the task's own.
            safely: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            tar.extractall(restored, **safely)
        archive.unlink()
        (found,) = restored.iterdir()
        return found

    def save_sync(self, data: Path | str | bytes) -> None:
        """Keep bytes, or the file or folder at a path, in place of what was kept before.

        Raises FileNotFoundError for a path where nothing is, OSError if it cannot be written.
        """
        import tarfile
        import tempfile

        from flyte.storage import objects

        with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
            with tarfile.open(fileobj=archive, mode="w") as tar:
                _add(tar, data)
            archive.flush()
            objects.put_file(archive.name, self._destination)

    def _newest(self) -> str | None:
        from flyte.storage import objects

        return next((uri for uri in (self._destination, *self._sources) if objects.size_of(uri) is not None), None)


def _lasting() -> Any:
    """Return what lasts as long as the attempt, or as the process outside of a task: paths outlive their checkpoint."""
    from flyte.authoring.context import ctx

    task = ctx()
    own = task.checkpoint if task else None
    return own if isinstance(own, Checkpoint) else Checkpoint


def latest_checkpoint(
    root: Path, glob_pattern: str = _LAST, *, key: Callable[[Path], Any] | None = None
) -> Path | None:
    """Return the file below a folder that matches a pattern and has the largest key, or None if no file matches.

    The key is the time of the last change unless another is given.
    """
    files = (path for path in Path(root).glob(glob_pattern) if path.is_file())
    return max(files, key=key or (lambda path: path.stat().st_mtime_ns), default=None)


def _add(tar: tarfile.TarFile, data: Path | str | bytes) -> None:
    if isinstance(data, bytes | bytearray | memoryview):
        import tarfile

        content = bytes(data)
        entry = tarfile.TarInfo(_DATA)
        entry.size, entry.mode = len(content), 0o600
        tar.addfile(entry, io.BytesIO(content))
        return
    path = Path(data)
    tar.add(path, _TREE if path.is_dir() else path.name or _DATA)
