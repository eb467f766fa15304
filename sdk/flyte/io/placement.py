"""Where new data goes.

Inside of a task: below the attempt's own prefix, so that an attempt that was given up leaves nothing that anybody
could take for a result. Outside: to the platform, through the port that `flyte.client` fills with `set_uploads` when it
is initialised; without a platform into a folder of this machine.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from flyte.storage import objects
from flyte.storage.locations import is_remote, join, local_path, local_uri, name_of, scheme_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredData:
    """Data that lies in an object store, as a reference to it travels."""

    uri: str
    format: str = ""
    hash: str | None = None
    name: str | None = None
    size_bytes: int | None = None


class Uploads(Protocol):
    """How a process that runs no task brings data to its platform."""

    def prefix(self) -> str | None:
        """Return a URI prefix that this process may write below and every worker may read, or None if there is none.

        Where there is one, workers can read the files of this machine as well.
        """
        ...

    def upload_file(self, path: Path, *, name: str) -> str:
        """Bring a file to the platform and return its URI. It blocks."""
        ...

    def upload_folder(self, path: Path, *, name: str) -> str:
        """Bring a folder with all below it to the platform and return its URI. It blocks."""
        ...


_uploads: Uploads | None = None


def set_uploads(uploads: Uploads | None) -> None:
    """Set how data gets to the platform while no task runs; None: there is no platform."""
    global _uploads
    _uploads = uploads


def task_prefix() -> str | None:
    """Return the URI prefix of the running attempt, or None outside of a task."""
    from flyte.authoring.context import current

    context = current()
    raw_data = context.task_context.raw_data_path if context is not None else None
    return raw_data.path if raw_data is not None else None


def current_prefix() -> str:
    """Return the prefix that new data is written below: of the attempt, of the platform, or a local folder."""
    return task_prefix() or (_uploads.prefix() if _uploads is not None else None) or _local_folder()


def new_location(name: str | None = None) -> str:
    """Return an address for new data that nothing else uses."""
    return join(current_prefix(), secrets.token_hex(8), name or "data")


def named_location(name: str) -> str:
    """Return the address that data of this name always has in the current action, in a later attempt too."""
    from flyte.authoring.context import current

    context = current()
    base = context.task_context.run_base_dir if context is not None else ""
    owner = context.task_context.action.name if context is not None else ""
    digest = sha256(f"{owner}\0{name}".encode()).hexdigest()[:16]
    return join(base or current_prefix(), "named", digest, name_of(name) or "data")


def stores_on_creation() -> bool:
    """Tell whether data that is made from a local file is copied at once, so that others can read it."""
    return task_prefix() is not None or _uploads is not None


def upload(path: Path, *, name: str) -> str | None:
    """Bring a file or a folder to a platform that has to be handed it; None if data is written below the prefix."""
    if task_prefix() is not None or _uploads is None or _uploads.prefix() is not None:
        return None
    return _uploads.upload_folder(path, name=name) if path.is_dir() else _uploads.upload_file(path, name=name)


def reachable(uri: str) -> str:
    """Return an address of the data that workers can read: uploads what only this machine can.

    A path that starts at the working folder of this process is told in full where another process will read it. What a
    task leaves in its working folder is stored: that folder ends with the attempt.
    """
    if not uri or is_remote(uri) or not local_path(uri).exists():
        return uri
    path = local_path(uri).absolute()
    if _reads_again_here():
        return upload(path, name=path.name) or uri
    working_folder = Path.cwd()
    if task_prefix() is not None and path.is_relative_to(working_folder) and working_folder != working_folder.parent:
        return _stored(path)
    return upload(path, name=path.name) or (uri if scheme_of(uri) else str(path))


def _reads_again_here() -> bool:
    """Tell whether it is this process that reads what it stores: in a local run, and without a platform."""
    from flyte.authoring.context import current

    context = current()
    return _uploads is None if context is None else context.task_context.mode == "local"


def _stored(path: Path) -> str:
    address = new_location(path.name)
    if path.is_dir():
        objects.put_folder(path, address)
        return address
    return objects.put_file(path, address)


def _local_folder() -> str:
    from flyte.io.own_folder import own_temporary_folder

    return local_uri(own_temporary_folder() / "raw_data")
