"""Holds what the operator's file says while the platform runs, and reads it again when asked to.

A new file takes effect only if it is right as a whole; otherwise the old values stay and the reason is told. Queues and
resource classes change under way. Clusters, coordination, the object store, pools, the cache, secrets and services are
wired at start: a new file that changes them has its queues and classes taken, and the rest waits for the next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.observe import get_logger
from flyteplane.scheduler.domain.queueing.checks import names_any

if TYPE_CHECKING:
    from flyteplane.scheduler.domain.definitions import Entries

_log = get_logger("launcher.operator_file")
_AT_START: Final = (
    "cache",
    "clusters",
    "console_url",
    "coordination",
    "history",
    "identity",
    "notifications",
    "objects",
    "reuse_pool",
    "secrets",
    "services",
    "telemetry",
    "tls",
)

Take: TypeAlias = "Callable[[Entries], Awaitable[None]]"
"""Whoever acts on queues and resource classes: the administration of the scheduler that leads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reread:
    """What came of reading the file again."""

    changed: bool = False
    """Queues or resource classes are others than before."""
    problem: str = ""
    """Why the old values stay; empty if the file is right."""
    waiting: tuple[str, ...] = ()
    """Sections that take effect at the next start."""


_SAME: Final = Reread()


class OperatorFileKeeper:
    """Keeps the values of one file, beginning with those that the platform was started with."""

    def __init__(self, started_with: OperatorFile) -> None:
        self.current = started_with
        self._last_read = started_with
        self._path = started_with.path
        self._take: Take | None = None
        self._one_at_a_time = asyncio.Lock()

    async def follow(self, take: Take) -> None:
        """Tells `take` what holds now and, until somebody else follows, of every change."""
        async with self._one_at_a_time:
            self._take = take
            await take(self.current.entries)

    def unfollow(self) -> None:
        """Whoever follows no longer acts; a later one is told what holds by then."""
        self._take = None

    async def take_again(self) -> Reread:
        """Reads the file again, and tells whoever follows what has changed."""
        async with self._one_at_a_time:
            outcome = await asyncio.to_thread(self.reread)
            if outcome.changed and self._take is not None:
                await self._take(self.current.entries)
            if not outcome.problem and outcome is not _SAME:
                _log.info("operator_file_taken", path=str(self._path), changed=outcome.changed)
            return outcome

    def reread(self) -> Reread:
        """Reads the file again and takes over what can change under way. Never raises for what stands in the file."""
        if self._path is None:
            _log.warning("operator_file_missing", problem="the platform was started without --config")
            return Reread(problem="the platform was started without an operator's file")
        try:
            found = OperatorFile.read(self._path)
            if found == self._last_read:
                return _SAME
            waiting = tuple(name for name in _AT_START if getattr(found, name) != getattr(self.current, name))
            now = replace(self.current, queues=found.queues, resource_classes=found.resource_classes)
            _refuse_later_clusters(now)
        except InvalidArgument as error:
            _log.error("operator_file_refused", path=str(self._path), problem=error.public_text)
            return Reread(problem=error.public_text)
        if waiting:
            _log.warning("operator_file_waits_for_restart", path=str(self._path), sections=list(waiting))
        self._last_read = found
        changed, self.current = now != self.current, now
        return Reread(changed=changed, waiting=waiting)


def _refuse_later_clusters(values: OperatorFile) -> None:
    """A queue or class may not name a cluster that is there only after the next start."""
    known = values.cluster_names
    named = [
        *((f"queue {one.name!r}", one.clusters) for one in values.queues),
        *((f"resource class {one.name!r}", one.clusters) for one in values.resource_classes),
    ]
    for what, clusters in named:
        later = [] if names_any(clusters) else [name for name in clusters if name not in known]
        if later:
            raise InvalidArgument(
                f"{what} names cluster {later[0]!r}, which is there only after the platform was started again",
                reason="OPERATOR_FILE",
                mend="Start the platform again.",
            )
