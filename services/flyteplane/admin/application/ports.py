"""What the use cases need from outside: three stores and the scheduler.

A store method that changes something returns when the change is durable. Every method raises Unavailable when the
store, or the scheduler, cannot be reached; further errors are named where they occur.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteapi.task.v1.value_pb2 import Payload
from flyteplane.admin.domain.project import Project, ProjectChange
from flyteplane.admin.domain.run import NewRun, RunFilter, RunKey, RunPhase, RunProgress, RunRecord, Submission
from flyteplane.admin.domain.task_version import DeployedTask, TaskToDeploy
from flyteplane.admin.domain.trigger import StoredTrigger, TriggerKey, TriggerState
from flyteplane.foundation.errors import PlatformError
from flyteplane.foundation.repetition import RequestMark

EncodeRefusal: TypeAlias = Callable[[PlatformError], bytes]
"""Turns the refusal of a run into a serialised `TaskError`, to be kept as the run's error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run that is durable now."""

    record: RunRecord
    created: bool
    """False: it was there already, and nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseChange:
    """The latest phase of one run."""

    run: RunKey
    progress: RunProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseBatch:
    """Changes of runs, in order, and the cursor behind them."""

    changes: Sequence[PhaseChange]
    cursor: int


class RunStore(Protocol):
    """Runs, the outbox of runs that the scheduler has not taken yet, and the mirror of their phases."""

    async def add(self, run: NewRun) -> StoredRun:
        """Store a run and its outbox entry in one transaction, or find the same run.

        Raises:
            Unavailable: also with the reason OUTCOME_UNKNOWN; it may be stored then.
            AlreadyExists: the name or the request id belongs to another run, which is left as it is.
            NotFound, FailedPrecondition: the project or domain does not exist or is archived.
        """

    async def get(self, key: RunKey) -> RunRecord | None:
        """A run, or None."""

    async def list(
        self, where: RunFilter, *, before: int | None, limit: int, among: Collection[RunKey] | None = None
    ) -> Sequence[RunRecord]:
        """Runs that fit, newest first, with a sequence below `before`; only those in `among` if that is given."""

    async def pending(self) -> Sequence[RunKey]:
        """Runs in the outbox, oldest first."""

    async def submission(self, key: RunKey) -> Submission | None:
        """The outbox entry of a run; None if the run is not in the outbox.

        It knows the outcome of every change that was begun before, also of those whose answer was lost.
        """

    async def settle(self, keys: Sequence[RunKey]) -> Mapping[RunKey, str]:
        """The scheduler has these runs: remove their outbox entries in one transaction.

        Entries whose abort was asked for stay and are returned, with the reason.
        """

    async def settle_aborted(self, key: RunKey) -> None:
        """The scheduler has the run and has aborted it: remove the outbox entry."""

    async def take_back(self, key: RunKey) -> None:
        """Remove a run that is in the outbox, as if it had never been asked for."""

    async def fail_undelivered(self, key: RunKey, progress: RunProgress) -> None:
        """End a run that the scheduler will never take: set its phase and remove the outbox entry."""

    async def ask_abort(self, key: RunKey, *, reason: str) -> bool:
        """Mark a run that is in the outbox as to be aborted; returns whether it was there."""

    async def forget(self, *, before_us: int, most: int) -> int:
        """Remove runs that ended before a time, those that ended first; returns how many, `most` at most."""

    async def phase_cursor(self) -> int:
        """Where the mirror of phases stands; 0 at the start."""

    async def apply_phases(self, batch: PhaseBatch) -> None:
        """Write phases and cursor in one transaction.

        Runs that have ended keep their phase; unknown ones are left out.
        """


class TaskStore(Protocol):
    """Task versions by name, and task specs by digest."""

    async def deploy(
        self, tasks: Sequence[TaskToDeploy], *, project: str, domain: str, version: str, deployed_by: str, now_us: int
    ) -> Sequence[DeployedTask]:
        """Store versions, all or none; a version that is there with the same digest counts as stored.

        Raises:
            AlreadyExists: a version is there with another digest.
            NotFound, FailedPrecondition: the project or domain does not exist or is archived.
        """

    async def get(self, *, project: str, domain: str, name: str, version: str) -> DeployedTask | None:
        """A version, or the newest one for an empty `version`."""

    async def newest(self, *, project: str, domain: str, after: str, limit: int) -> Sequence[DeployedTask]:
        """The newest version of each task whose name is greater than `after`, by name."""

    async def versions(
        self, *, project: str, domain: str, name: str, before: int | None, limit: int
    ) -> Sequence[DeployedTask]:
        """Versions of one task, newest first, with a sequence below `before`."""

    async def spec(self, digest: bytes) -> bytes | None:
        """A serialised `TaskSpec` that a run or a version refers to."""


class TriggerStore(Protocol):
    """Triggers, each with what is noted of its firing."""

    async def put(
        self,
        key: TriggerKey,
        *,
        content: bytes,
        state: TriggerState,
        known: StoredTrigger | None,
        request: RequestMark | None = None,
        now_us: int = 0,
    ) -> StoredTrigger | None:
        """Store a trigger if it is still what the caller knows; None: if there is none. Returns None, and changes
        nothing, if somebody was faster: another trigger of the name, made since, is not the one that was known.

        `request` is noted as answered, at `now_us`, with the change; one that was answered before counts as somebody
        who was faster. Raises NotFound, FailedPrecondition: the project or domain does not exist or is archived;
        AlreadyExists: the request id belongs to another request.
        """

    async def is_repeated(self, request: RequestMark) -> bool:
        """Whether a request was answered before. Raises AlreadyExists: its id belongs to another request."""

    async def get(self, key: TriggerKey) -> StoredTrigger | None:
        """A trigger, or None."""

    async def list(
        self, *, project: str, domain: str, task_name: str, after: tuple[str, str], limit: int
    ) -> Sequence[StoredTrigger]:
        """Triggers by task and name, only those behind `after`; an empty `task_name` stands for all."""

    async def delete(self, key: TriggerKey, *, request: RequestMark | None = None, now_us: int = 0) -> bool:
        """Remove a trigger; returns whether there was one. A request that was answered before, noted at `now_us`,
        removes nothing and is told the same. Raises AlreadyExists: the request id belongs to another request.
        """

    async def due(self, *, now_us: int, limit: int) -> Sequence[StoredTrigger]:
        """Triggers that have something to do by now, the one that waits longest first."""

    async def next_wake(self) -> int | None:
        """When the next trigger has something to do; None if none ever will."""


class ProjectStore(Protocol):
    """Projects."""

    async def create(self, project: Project, *, request: RequestMark | None = None) -> Project:
        """Store a new project; for a request that was answered before, find it as it is now. Raises AlreadyExists."""

    async def update(
        self, project_id: str, change: ProjectChange, *, now_us: int, request: RequestMark | None = None
    ) -> Project | None:
        """Change a project; None if there is none. A request that was answered before changes nothing.

        Raises AlreadyExists for a request id that belongs to another request.
        """

    async def get(self, project_id: str) -> Project | None:
        """A project, or None."""

    async def list(self, *, include_archived: bool, after: str, limit: int) -> Sequence[Project]:
        """Projects by id; only those behind `after`."""


class Scheduler(Protocol):
    """The scheduler, as far as the use cases call it. Errors are those of its answers, as PlatformError."""

    async def accept(self, submission: Submission) -> None:
        """Hand a run over. Idempotent. Returns once the scheduler has it durably."""

    async def abort(self, run: RunKey, *, action: str, reason: str) -> RunPhase:
        """Abort a run (action "a0") or a subtree; returns the action's phase. Idempotent. Raises NotFound."""

    async def progress(self, run: RunKey) -> RunProgress:
        """How the root action stands now. Raises NotFound."""

    async def task_of(self, run: RunKey, *, action: str) -> TaskSpec:
        """The task of an action. Raises NotFound."""

    async def inputs_of(self, run: RunKey, *, action: str) -> Payload:
        """The inputs of an action. Raises NotFound."""

    async def paused(self, *, project: str, domain: str) -> Collection[RunKey]:
        """Runs in which somebody is asked for an answer now; empty words stand for everywhere."""

    def phases(self, cursor: int) -> AsyncIterator[PhaseBatch]:
        """Phases of all runs from a cursor on. Ends only with an error."""
