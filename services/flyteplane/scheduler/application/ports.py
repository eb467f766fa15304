"""What the scheduler needs from the outside, as ports. Each has a memory adapter, and one contract suite runs over
all adapters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from flyteapi.cache.v1.cache_service_pb2 import (
        CacheEntry,
        CacheKey,
        ExtendRequest,
        LookupRequest,
        PutRequest,
        PutResponse,
        ReleaseRequest,
        ReserveRequest,
        ReserveResponse,
        WaitResponse,
    )
    from flyteapi.scheduler.v1.worker_service_pb2 import WorkerOrder, WorkerReport
    from flyteapi.task.v1.task_spec_pb2 import SecretRequest
    from flyteplane.scheduler.application.living import Action


class RunKey(NamedTuple):
    """Identity of a run."""

    project: str
    domain: str
    name: str

    def __str__(self) -> str:
        return f"{self.project}/{self.domain}/{self.name}"


@dataclass(slots=True, kw_only=True)
class RunRow:
    """A stored run."""

    key: RunKey
    id: int
    digest: bytes
    settings: bytes
    phase: int
    created_at: float
    started_at: float = 0.0
    ended_at: float = 0.0
    error: bytes = b""


class ActionRow(NamedTuple):
    """A stored action, in the order of its columns. Times are seconds since the epoch, blobs serialised messages."""

    run_id: int
    ordinal: int
    name: str
    parent: str
    task_digest: bytes
    group_label: str
    inputs: bytes
    inputs_digest: bytes
    custom_context: bytes
    created_at: float
    phase: int
    attempt: int
    task_failures: int
    system_failures: int
    killed: int
    queued_at: float
    placed_at: float
    started_at: float
    first_started_at: float
    ended_at: float
    not_before: float
    error: bytes
    outputs: bytes | None
    cache_status: int
    cached_from: str
    reason: str
    worker: str
    lease: int
    cluster: str
    resource_class: str
    history: bytes


class SegmentRow(NamedTuple):
    """Consecutive events of one run, as one serialised EventBatch."""

    run_id: int
    first_sequence: int
    last_sequence: int
    batch: bytes


class TraceRow(NamedTuple):
    """A recorded call of a traced function, as a serialised TraceRecord."""

    run_id: int
    ordinal: int
    """Of the action."""
    position: int
    """Order of recording inside the action, from 1."""
    record: bytes


class Living(NamedTuple):
    """All that a scheduler goes on with, as of one moment."""

    runs: Sequence[RunRow]
    """Those that have not ended, in order of acceptance."""
    actions: Sequence[ActionRow]
    """All of these runs, run by run in order of acceptance. Outputs of ended actions are left out."""
    traces: Sequence[TraceRow]
    """Recorded calls of traced functions of these runs, in order of run, action and recording."""
    last_sequences: Mapping[int, int]
    """Of the newest stored event of each run that has any, by the run's id."""


class RunChange(NamedTuple):
    """A phase that a run has entered."""

    cursor: int
    key: RunKey
    phase: int
    at: float
    started_at: float
    error: bytes


@dataclass(slots=True)
class Changes:
    """Everything that one turn of the scheduler changes: stored in one transaction or not at all."""

    tasks: list[tuple[bytes, bytes]] = field(default_factory=list)
    runs: list[RunRow] = field(default_factory=list)
    run_phases: list[RunRow] = field(default_factory=list)
    inserted: list[ActionRow] = field(default_factory=list)
    updated: list[ActionRow] = field(default_factory=list)
    segments: list[SegmentRow] = field(default_factory=list)
    traces: list[TraceRow] = field(default_factory=list)

    def __bool__(self) -> bool:
        changed = self.inserted or self.updated or self.segments or self.runs or self.run_phases
        return bool(changed or self.tasks or self.traces)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFilter:
    """Conditions on actions that hold together; an empty one always holds."""

    parent: str = ""
    phases: Sequence[int] = ()
    names: Sequence[str] = ()
    group: str | None = None
    """None: with whatever group label, or none."""


EVERY_ACTION: Final = ActionFilter()


class ActionCount(NamedTuple):
    """Actions that have parent, group and phase in common."""

    parent: str
    group: str
    phase: int
    number: int


class Records(Protocol):
    """The durable state of the scheduler."""

    async def claim(self, *, at_least: int) -> int:
        """Takes the lead: stores and returns an epoch above the stored one and not below `at_least`."""

    def save(self, changes: Changes) -> Awaitable[None]:
        """Queues the changes for the next group commit; done when they are durable. Changes saved later are never
        applied earlier, and not at all once a save has failed: what is stored is a prefix of what was saved. Raises
        `Aborted` (FENCED) once another epoch has been claimed."""

    async def living(self) -> Living:
        """Runs that have not ended, with all that belongs to them."""

    async def highest_run_id(self) -> int:
        """The largest run id given out so far; 0 if none was."""

    async def task(self, digest: bytes) -> bytes | None:
        """A stored task spec, serialised."""

    async def run(self, key: RunKey) -> RunRow | None:
        """A run, whether it lives or not."""

    async def action(self, run_id: int, name: str) -> ActionRow | None:
        """An action with everything that is stored of it."""

    async def actions(
        self, run_id: int, *, after: int, limit: int, where: ActionFilter = EVERY_ACTION
    ) -> Sequence[ActionRow]:
        """Actions with an ordinal above `after`, in order, without inputs and outputs."""

    async def action_counts(self, run_id: int, *, parents: Sequence[str] | None) -> Sequence[ActionCount]:
        """How many children of these actions there are; None: of every action, the root being a child of ""."""

    async def segments(self, run_id: int, *, from_sequence: int, limit: int) -> Sequence[SegmentRow]:
        """Segments that hold events from the sequence on, in order."""

    async def run_changes(self, *, after: int, limit: int) -> Sequence[RunChange]:
        """Phases that runs have entered, from a cursor on."""

    async def ended(self, *, before: float, limit: int) -> Sequence[RunRow]:
        """Runs that ended before a time, the one that ended first at the beginning; never the newest run."""

    async def forget(self, run_id: int) -> None:
        """Removes a run that has ended, with all that is stored of it, its row at last. Raises `Aborted` (FENCED)."""

    async def forget_changes(self, *, before: float) -> None:
        """Removes the oldest changes of phases, as far as they were before a time. Raises `Aborted` (FENCED)."""

    async def latest_run_change(self) -> int:
        """The cursor of the last of them; 0 if there is none."""

    async def close(self) -> None:
        """Writes what is queued and lets go of the store."""


OnStored: TypeAlias = "Callable[[RunKey, str, int, int], None]"
"""Told of run, action and attempt whose output is stored, so that it outlives this process, and up to which byte,
counted as `LogStore.append` does by `position`."""


def tell_nobody(run: RunKey, action: str, attempt: int, position: int) -> None:
    """Implements `OnStored` for whoever keeps nothing."""


class LogStore(Protocol):
    """Captured output of attempts, kept until its run is forgotten."""

    def append(self, run: RunKey, action: str, attempt: int, data: bytes, *, position: int = 0) -> None:
        """Adds output. Never raises: a log that cannot be written is reported once in the service's own log.

        Args:
            position: which byte of the attempt's output is the first of `data`, from 1: what the log has already is
                left out. 0: all of it is new.
        """

    async def read(self, run: RunKey, action: str, attempt: int, *, offset: int, limit: int) -> bytes:
        """A piece of a log; empty at its end."""

    async def attempts(self, run: RunKey, action: str) -> Sequence[int]:
        """Attempts that have written something, in order."""

    async def forget(self, run: RunKey) -> None:
        """Removes all output of a run that has ended. Raises Unavailable."""


class FollowedLogs(LogStore, Protocol):
    """Logs that can be followed while they are written."""

    on_stored: OnStored
    """Called now and then."""

    def stream(
        self, run: RunKey, action: str, attempt: int, *, ended: Callable[[], bool], changed: asyncio.Event
    ) -> AsyncIterator[bytes]:
        """What is there and what comes, until `ended` says that nothing more will. `changed` is set for whatever may
        end it."""

    def notify(self, run: RunKey, action: str) -> None:
        """The action has ended or another attempt has begun: whoever follows it looks once more."""

    async def close(self) -> None:
        """Writes what is left."""


class Placement(Protocol):
    """A way to have attempts executed: fresh workers, or replicas of pools."""

    def place(self, action: Action) -> None:
        """Starts an attempt of the action under its present lease. What comes of it is reported to the engine."""

    def adopt(self, action: Action) -> bool:
        """Takes over an attempt that a leader before this one placed. False: its worker ended with that leader. True:
        the worker, or what has become of it, will be heard of under the lease it has."""

    def send(self, lease: int, orders: Sequence[WorkerOrder]) -> None:
        """Sends orders to the worker of a lease; dropped if it is gone."""

    def stop(self, lease: int, reason: str) -> None:
        """Ends the attempt, by force if asking does not help. Idempotent."""

    def finished(self, lease: int) -> None:
        """The attempt's end is durable: its worker is told so, and may forget it and go."""

    def whereabouts(self, lease: int) -> tuple[str, str]:
        """Node of the lease's worker, and what its cluster said last of it; empty where nothing is known."""

    async def close(self) -> None:
        """Stops everything that was placed."""


class CacheClient(Protocol):
    """The cache service, as far as the scheduler uses it. Methods raise PlatformError if it cannot be asked."""

    async def lookup(self, queries: Sequence[LookupRequest.Query]) -> Sequence[CacheEntry | None]:
        """Entries for keys, in order."""

    async def put(self, items: Sequence[PutRequest.Item]) -> Sequence[PutResponse.Outcome.ValueType]:
        """Stores results; what became of each, in order."""

    async def reserve(self, items: Sequence[ReserveRequest.Item], *, ttl_s: float) -> Sequence[ReserveResponse.Result]:
        """Reserves computations; what became of each, in order."""

    async def extend(self, items: Sequence[ExtendRequest.Item]) -> Sequence[bool]:
        """Keeps reservations alive; False for one that is lost."""

    async def release(self, items: Sequence[ReleaseRequest.Item]) -> None:
        """Ends reservations without a value."""

    def wait(self, keys: Sequence[CacheKey]) -> AsyncIterator[WaitResponse]:
        """Each key once, as soon as it has a value or can be reserved."""


class Bearer(NamedTuple):
    """The attempt that a token belongs to: whoever resolves secrets with it says for whom."""

    run: RunKey
    action: str
    attempt: int
    lease: int


class SecretsClient(Protocol):
    """The secrets service, as far as the scheduler uses it."""

    async def resolve(
        self, token: str, requests: Sequence[SecretRequest], *, bearer: Bearer
    ) -> tuple[Mapping[str, bytes], Mapping[str, bytes]]:
        """Values by environment variable and by file path. Raises PlatformError, NotFound for a secret that does not
        exist, PermissionDenied for a token of anybody but the bearer."""

    async def versions(self, run: RunKey, requests: Sequence[SecretRequest]) -> Sequence[tuple[int, str]]:
        """Versions that a resolve would give now, each with the scope it was found in: part of a pool's identity."""


#: Folder of an unpacked code bundle by its digest, unpacking it first if need be. Raises PlatformError.
BundlePath = Callable[[str], Awaitable[str]]
#: Makes the token of an attempt: run, action, attempt, lease and the secrets that it may ask for.
MintToken = Callable[["RunKey", str, int, int, Sequence["SecretRequest"]], str]
#: What placements call with reports of workers.
Receive = Callable[[Sequence["WorkerReport"]], None]
