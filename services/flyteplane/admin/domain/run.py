"""Runs, as they were submitted and as they stand.

What was submitted never changes; `RunProgress` is a mirror of the scheduler's knowledge. Messages that admin only
passes on (task specs, payloads, settings, errors) are carried as the bytes of their serialisation: nothing in admin's
decisions depends on what is in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final


class RunPhase(IntEnum):
    """Where a run is in its life. The numbers are those of `flyteapi.common.v1.Phase` and are stored."""

    UNSPECIFIED = 0
    QUEUED = 1
    WAITING_FOR_RESOURCES = 2
    INITIALIZING = 3
    RUNNING = 4
    SUCCEEDED = 5
    FAILED = 6
    ABORTED = 7
    TIMED_OUT = 8

    @classmethod
    def of(cls, number: int) -> "RunPhase":
        """The phase with a number; UNSPECIFIED, which is not terminal, for one that only a newer build knows."""
        return cls(number) if number in cls._value2member_map_ else cls.UNSPECIFIED

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will happen to the run."""
        return self in TERMINAL_PHASES


TERMINAL_PHASES: Final = frozenset({RunPhase.SUCCEEDED, RunPhase.FAILED, RunPhase.ABORTED, RunPhase.TIMED_OUT})


@dataclass(frozen=True, slots=True, order=True)
class RunKey:
    """The name of a run, unique for ever inside its project and domain."""

    project: str
    domain: str
    name: str

    def __str__(self) -> str:
        return f"{self.project}/{self.domain}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """What the scheduler last said of a run."""

    phase: RunPhase
    started_at_us: int | None = None
    """When user code of the root ran first, microseconds since the epoch."""
    ended_at_us: int | None = None
    error: bytes = b""
    """Serialised `TaskError`; empty if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What the scheduler is given of a run: everything that it takes to carry it out."""

    run: RunKey
    digest: bytes
    """SHA-256 over everything below, see `run_digest`."""
    task_spec: bytes
    """Serialised `TaskSpec`."""
    inputs: bytes
    """Serialised `Payload`."""
    inputs_digest: bytes
    settings: bytes
    """Serialised `RunSettings`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChoice:
    """The task version that a run is to execute."""

    name: str
    """"environment.function"."""
    digest: bytes
    """SHA-256 of `spec`."""
    spec: bytes
    """Deterministically serialised `TaskSpec`."""
    newest: bool = False
    """The caller asked for the newest version, whichever that is: a repeated request may meet a newer one."""
    version: str = ""
    """Of the deployed version; empty for a task that was given in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationPlan:
    """Something that is sent when a run ends."""

    phases: frozenset[RunPhase]
    named: str = ""
    """The delivery in the operator's file; empty: what the settings of the run hold at this place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDraft:
    """A run that was asked for, checked, but not stored."""

    project: str
    domain: str
    name: str
    """Empty: to be generated."""
    request_id: str
    task: TaskChoice
    inputs: bytes
    inputs_digest: bytes
    settings: bytes
    labels: Mapping[str, str] = field(default_factory=dict)
    """The labels among the settings, for filters."""
    queue: str = ""
    """Where its root action waits, for filters."""
    task_version: str = ""
    """That was deployed, or what the submitter calls it, for filters."""
    created_by: str
    source: RunKey | None = None
    """The run that this one repeats or recovers."""
    trigger: str = ""
    notifications: tuple[NotificationPlan, ...] = ()
    trace_parent: str = ""
    """The W3C traceparent that it came with; empty if it came with none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run that is ready to be stored."""

    key: RunKey
    draft: RunDraft
    digest: bytes
    created_at_us: int
    added: bytes = b""
    """Serialised `RunSettings` of the platform's own: the run's trace, its task's version. Not part of the digest."""

    @property
    def settings(self) -> bytes:
        """What is stored and carried out: serialised messages are joined by putting one after the other."""
        return self.draft.settings + self.added

    @property
    def submission(self) -> Submission:
        """What the scheduler is told of it."""
        return Submission(
            run=self.key,
            digest=self.digest,
            task_spec=self.draft.task.spec,
            inputs=self.draft.inputs,
            inputs_digest=self.draft.inputs_digest,
            settings=self.settings,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run as stored."""

    key: RunKey
    sequence: int
    """Grows with every run of the platform; the order of lists."""
    request_id: str
    digest: bytes
    task_name: str
    task_digest: bytes
    inputs_digest: bytes
    settings: bytes
    created_by: str
    created_at_us: int
    source: RunKey | None
    trigger: str
    task_version: str
    progress: RunProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Conditions on runs that hold together; an empty one always holds."""

    project: str = ""
    domain: str = ""
    task_name: str = ""
    phases: frozenset[RunPhase] = frozenset()
    created_by: str = ""
    queue: str = ""
    source: RunKey | None = None
    """The run that they repeat or recover."""
    task_version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    label_keys: frozenset[str] = frozenset()
    """Labels that they have, whatever the value."""
    created_after_us: int | None = None
    """Exclusive, as are all bounds."""
    created_before_us: int | None = None
    updated_after_us: int | None = None
    """When the phase changed last."""
    updated_before_us: int | None = None
    paused_only: bool = False
    """Somebody is asked for an answer now. The scheduler knows, and no store."""
