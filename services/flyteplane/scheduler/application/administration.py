"""The state behind the administration of queues and classes: the definitions, their store, and who is told of changes.

A change is decided under a lock, made durable, and read back before the admission hears of it. So memory always says
what the store says, also after a write whose outcome nobody knows and after a caller who left in the middle; kill -9
between any two steps leaves either the old or the new entry, which the next start reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from flyteplane.foundation.bell import Bell
from flyteplane.foundation.clock import TimerClock
from flyteplane.foundation.errors import Aborted, FailedPrecondition, InvalidArgument, Unavailable
from flyteplane.observe import get_logger
from flyteplane.scheduler.application.administration_ports import AdministrationRecords, LiveAdmission, Request
from flyteplane.scheduler.domain.definitions import NO_ENTRIES, Definitions, Entries, Origin, merge_definitions
from flyteplane.scheduler.domain.queueing.checks import names_any
from flyteplane.scheduler.domain.queueing.classes import ClusterRoom

_log = get_logger("scheduler.administration")

Decision = Callable[[Definitions], Awaitable[None]]


class Administration:
    """Holds the definitions of one scheduler. Answers Unavailable before `open`, and to writes once another leads."""

    def __init__(
        self,
        records: AdministrationRecords,
        *,
        live: LiveAdmission,
        clusters: Iterable[ClusterRoom],
        clock: TimerClock,
        file: Entries = NO_ENTRIES,
    ) -> None:
        self.records = records
        self.live = live
        self.clusters: Sequence[ClusterRoom] = tuple(clusters)
        self.figures_changed = Bell(clock)
        """Rings when figures of queues, classes or clusters may be others than before."""
        self._stored = Entries()
        self._file = file
        self._definitions: Definitions | None = None
        self._warned: frozenset[str] = frozenset()
        self._lock = asyncio.Lock()
        self._changes: set[asyncio.Task[None]] = set()

    @property
    def definitions(self) -> Definitions:
        """What holds now. Raises Unavailable before `open`."""
        if self._definitions is None:
            raise _not_leader("this scheduler does not lead")
        return self._definitions

    @property
    def file_path(self) -> str:
        """The operator's file, for people."""
        return self._file.path or "the operator's file"

    async def open(self, *, epoch: int) -> Definitions:
        """Takes the store over and configures the admission: after the claim, before anything is admitted."""
        self.records.take_over(epoch)
        async with self._lock:
            return await self._load()

    async def take_file(self, file: Entries) -> None:
        """Replaces what the operator's file says. Its entries win over stored ones of the same name."""
        async with self._lock:
            self._file = file
            if self._definitions is not None:
                self._apply()

    async def change(self, decide: Decision, *, request: Request = None) -> None:
        """Runs a decision on the present definitions: it checks, then writes, and keeps with that which request it
        answers. One that was answered before decides nothing. A caller who leaves does not stop it."""
        task = asyncio.get_running_loop().create_task(self._change(decide, request), name="administration change")
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        await asyncio.shield(task)

    async def close(self) -> None:
        """Waits for changes under way."""
        if self._changes:
            await asyncio.wait(self._changes)

    async def _change(self, decide: Decision, request: Request) -> None:
        async with self._lock:
            try:
                definitions = self.definitions
                if request is None or not await self.records.is_answered(request):
                    await decide(definitions)
            except Aborted as error:
                raise _not_leader("another scheduler leads by now") from error
            finally:
                await self._load()

    async def _load(self) -> Definitions:
        self._stored = await self.records.load()
        return self._apply()

    def _apply(self) -> Definitions:
        definitions = merge_definitions(stored=self._stored, file=self._file, clusters=self.clusters)
        if definitions == self._definitions:
            return definitions
        self._definitions = definitions
        self._warn(definitions)
        self.live.configure(
            queues=[entry.settings for entry in definitions.queues.values()],
            classes=[entry.shape for entry in definitions.classes.values()],
            clusters=self.clusters,
        )
        self.figures_changed.ring()
        return definitions

    def _warn(self, definitions: Definitions) -> None:
        """Says each trouble once, when it comes up."""
        wins = f"is stored and stands in {self.file_path}: the file wins"
        troubles = {
            *(f"queue {name} {wins}" for name in definitions.shadowed_queues),
            *(f"resource class {name} {wins}" for name in definitions.shadowed_classes),
            *(f"cluster {name} is named and does not exist" for name in definitions.missing_clusters),
        }
        for trouble in sorted(troubles - self._warned):
            _log.warning("administration_trouble", problem=trouble)
        self._warned = frozenset(troubles)


def refuse_unknown_clusters(names: Sequence[str], *, clusters: Sequence[ClusterRoom]) -> None:
    """Raises InvalidArgument for a cluster that does not exist."""
    known = [room.name for room in clusters]
    unknown = [] if names_any(names) else [name for name in names if name not in known]
    if unknown:
        raise InvalidArgument(
            f"there is no cluster {', '.join(map(repr, unknown))}",
            reason="UNKNOWN_CLUSTER",
            field="clusters",
            mend=f'The clusters are: {", ".join(sorted(known))}; "*" means all of them.',
        )


def refuse_change_of_file(what: str, origin: Origin, *, path: str) -> None:
    """Raises FailedPrecondition for an entry of the operator's file. `what` names it, such as "queue 'gpu'"."""
    if origin is Origin.FILE:
        raise FailedPrecondition(
            f"{what} stands in {path}",
            reason="IN_OPERATOR_FILE",
            mend="Change it there, and have the platform read the file again.",
        )


def _not_leader(message: str) -> Unavailable:
    return Unavailable(message, reason="NOT_LEADER", mend="Try again; the one that leads answers.")
