"""Opens the platform's object store: the folder, or the S3-compatible store that the operator's file names.

A store that is away is waited for, as long as it takes, and the log names it. One that is there and refuses the
platform is no reason to wait: the process ends and says why.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from flyteplane.foundation.errors import Unavailable
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from flyteplane.foundation.clock import TimerClock
    from flyteplane.foundation.ids import IdSource
    from flyteplane.launcher.folder import PlatformFolder
    from flyteplane.objects import ObjectStore
    from flyteplane.objects.s3_settings import S3Settings

_log = get_logger("launcher.objects")
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenObjects:
    """The store, and how its objects are called."""

    store: ObjectStore
    root: str
    """URI of the store: an object's URI is this and its key. Ends in "/"."""
    shared_by_folder: bool
    """Workers on this machine reach the objects as files."""


class Remote(Protocol):
    """A store that may be away."""

    @property
    def name(self) -> str:
        """The store for people."""

    async def check(self) -> None:
        """Ask whether it is there. Raises Unavailable."""


async def open_objects(
    folder: PlatformFolder, settings: S3Settings | None, *, clock: TimerClock, ids: IdSource, stack: AsyncExitStack
) -> OpenObjects:
    """Open the store; it is closed with `stack`. Returns once it is there.

    Raises FailedPrecondition if it refuses the platform, Unavailable if the folder cannot be used.
    """
    if settings is None:
        from flyteplane.objects import FolderObjectStore

        here = FolderObjectStore(folder.objects, clock=clock, ids=ids)
        return OpenObjects(store=here, root=f"file://{here.root}/", shared_by_folder=True)
    from flyteplane.objects.s3 import S3ObjectStore

    store = S3ObjectStore(settings, ids=ids)
    stack.callback(store.close)
    await wait_until_there(store, clock=clock)
    folder.objects_elsewhere = settings.root
    return OpenObjects(store=store, root=settings.root, shared_by_folder=False)


async def wait_until_there(store: Remote, *, clock: TimerClock) -> None:
    """Return once the store answers; the log says each time that it does not. Raises FailedPrecondition."""
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            await store.check()
        except Unavailable as error:
            _log.warning("waiting_for_object_store", store=store.name, problem=error.public_text, pause_s=pause_s)
            await clock.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        else:
            if pause_s > _FIRST_PAUSE_S:
                _log.info("object_store_is_there", store=store.name)
            return
