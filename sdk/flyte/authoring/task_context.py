"""What a task can ask about itself with `flyte.ctx()`.

Outside of a task there is a null context: it is falsy, and asking it anything raises NotInTaskContextError.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Final, Literal

from flyte.authoring.bundles import CheckpointPaths, CodeBundle, RawDataPath
from flyte.authoring.identity import ActionID, GroupData

ExecutionMode = Literal["local", "remote", "hybrid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """The running attempt, as the task sees it."""

    action: ActionID
    version: str = ""
    raw_data_path: RawDataPath | None = None
    input_path: str | None = None
    output_path: str = ""
    run_base_dir: str = ""
    report: Any = None
    """A `flyte.report.Report`; where the task has no report, one that is never written, made when it is asked for."""
    group_data: GroupData | None = None
    checkpoint_paths: CheckpointPaths | None = None
    checkpoint: Any = None
    """Where to keep what the next attempt should go on from, a `flyte.Checkpoint`."""
    code_bundle: CodeBundle | None = None
    compiled_image_cache: Any = None
    data: dict[str, Any] = field(default_factory=dict)
    """Free for task plugins: what `TaskTemplate.pre` returned."""
    mode: ExecutionMode = "remote"
    interactive_mode: bool = False
    custom_context: Mapping[str, str] = field(default_factory=dict)
    task_action: ActionID | None = None
    """The action of the task itself, where `action` is that of a traced function."""
    run_start_time: datetime | None = None
    attempt_number: int = 0
    """How many attempts there were before this one."""

    def replace(self, **kwargs: Any) -> TaskContext:
        """Return a copy that differs in what is given."""
        return replace(self, **kwargs)

    def ensure_report(self) -> None:
        """Give a task without a report one that is never written, so that it can log as any other."""
        if self.report is None:
            from flyte.report.document import Report

            # Frozen for everybody else; which of two threads comes first makes no difference.
            object.__setattr__(self, "report", Report(self.action.name))

    def is_in_cluster(self) -> bool:
        """Tell whether the platform runs this task, in contrast to a local run."""
        return self.mode == "remote"

    @property
    def rank(self) -> int:
        """The number of this process in its group (`RANK`): 0 unless the task started such a group itself."""
        return _number("RANK", 0)

    @property
    def world_size(self) -> int:
        """How many processes the group has (`WORLD_SIZE`): 1 without a group."""
        return _number("WORLD_SIZE", 1)

    @property
    def local_rank(self) -> int:
        """The number of this process among those of the group in this container (`LOCAL_RANK`)."""
        return _number("LOCAL_RANK", 0)

    @property
    def local_world_size(self) -> int:
        """How many processes of the group are in this container (`LOCAL_WORLD_SIZE`)."""
        return _number("LOCAL_WORLD_SIZE", 1)

    @property
    def node_rank(self) -> int:
        """The number of this container in the group (`GROUP_RANK`)."""
        return _number("GROUP_RANK", 0)

    @property
    def nnodes(self) -> int:
        """How many containers the group has: 1, a task has one container."""
        return self.world_size // self.local_world_size or 1

    @property
    def master_addr(self) -> str | None:
        """Where the processes of the group meet (`MASTER_ADDR`); None without a group."""
        return os.environ.get("MASTER_ADDR")

    @property
    def master_port(self) -> int | None:
        """The port where the processes of the group meet (`MASTER_PORT`); None without a group."""
        return _number("MASTER_PORT", 0) or None

    @property
    def restart_attempt(self) -> int:
        """How often the group was started again (`TORCHELASTIC_RESTART_COUNT`)."""
        return _number("TORCHELASTIC_RESTART_COUNT", 0)

    def __bool__(self) -> bool:
        return True


def _number(variable: str, default: int) -> int:
    """The number in a variable that launchers such as torchrun set in the processes that they start."""
    text = os.environ.get(variable, "")
    return int(text) if text.isdigit() else default


class _NullTaskContext:
    """The context outside of any task."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "NullTaskContext()"

    def __reduce__(self) -> str:
        return "NULL_TASK_CONTEXT"

    def __getattr__(self, name: str) -> Any:
        if name not in _PUBLIC_NAMES:
            raise AttributeError(name)
        raise _outside_of_a_task(name)


def _outside_of_a_task(name: str) -> Exception:
    from flyte.errors import NotInTaskContextError

    class NoTaskContext(NotInTaskContextError, AttributeError):
        """Also an AttributeError, so that `hasattr` and `getattr` with a default work on the null context."""

    return NoTaskContext(message=f"flyte.ctx().{name} was read outside of a task. Test `if flyte.ctx():` before.")


_PUBLIC_NAMES: Final = frozenset(
    {spec.name for spec in fields(TaskContext)} | {name for name in vars(TaskContext) if not name.startswith("_")}
)

NULL_TASK_CONTEXT: Final = _NullTaskContext()
