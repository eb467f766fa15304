"""The current task, as a context variable: every asyncio task and every thread that copies its context has its own.

Whoever runs a task enters `activate(TaskContextData(...))` around it. A call of another task finds its controller here;
`flyte.ctx()`, `flyte.group`, `flyte.custom_context` and `flyte.trace` read and narrow it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from flyte.authoring.identity import GroupData
from flyte.authoring.task_context import NULL_TASK_CONTEXT, TaskContext

if TYPE_CHECKING:
    from types import TracebackType

    from flyte.authoring.controller import Controller


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContextData:
    """The current task: what it may see of itself, and who carries out its calls.

    Without a controller, calls of tasks are plain function calls.
    """

    task_context: TaskContext
    controller: Controller | None = None
    in_trace: bool = False
    """Whether a traced function runs, in which no task can be called."""

    @property
    def group(self) -> str | None:
        """The name of the group that children are shown under, None for none."""
        group = self.task_context.group_data
        return group.name if group else None

    @property
    def custom_context(self) -> Mapping[str, str]:
        """What children inherit as their custom context."""
        return self.task_context.custom_context

    def with_group(self, name: str) -> TaskContextData:
        """Return the same context inside a group."""
        return replace(self, task_context=self.task_context.replace(group_data=GroupData(name)))


_current: ContextVar[TaskContextData | None] = ContextVar("flyte_task", default=None)
_NO_CUSTOM_CONTEXT: Final[Mapping[str, str]] = MappingProxyType({})
_outer_custom_context: ContextVar[Mapping[str, str]] = ContextVar("flyte_custom_context", default=_NO_CUSTOM_CONTEXT)


def current() -> TaskContextData | None:
    """Return the context of the running task, or None outside of one."""
    return _current.get()


class activate:
    """Context manager: make `data` the current task context."""

    __slots__ = ("_data", "_token")

    def __init__(self, data: TaskContextData | None) -> None:
        self._data = data
        self._token: Any = None

    def __enter__(self) -> TaskContextData | None:
        self._token = _current.set(self._data)
        return self._data

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.reset(self._token)


def ctx() -> TaskContext:
    """Return what the running task can know about itself; outside of a task a falsy null context."""
    data = _current.get()
    if data is None:
        return cast(TaskContext, NULL_TASK_CONTEXT)
    data.task_context.ensure_report()
    return data.task_context


@contextmanager
def group(name: str) -> Iterator[None]:
    """Show the children that are made inside the block under one name. Outside of a task it does nothing.

    Raises InvalidSetting, a ValueError, for an empty name or one with control characters.
    """
    from flyte.spec.names import NameKind, check_name

    check_name(name, kind=NameKind.GROUP)
    data = _current.get()
    if data is None:
        yield
        return
    with activate(data.with_group(name)):
        yield


@contextmanager
def custom_context(**context: str) -> Iterator[None]:
    """Give the runs and children that are started inside the block further entries of custom context.

    Entries of outer blocks stay unless they are given again. Raises TypeError for a value that is not a str.
    """
    for key, value in context.items():
        if not isinstance(value, str):
            raise TypeError(f"Expected the custom context {key!r} to be of type str, got {type(value)}")
    data = _current.get()
    if data is None:
        token = _outer_custom_context.set(MappingProxyType({**_outer_custom_context.get(), **context}))
        try:
            yield
        finally:
            _outer_custom_context.reset(token)
        return
    merged = MappingProxyType({**data.custom_context, **context})
    with activate(replace(data, task_context=data.task_context.replace(custom_context=merged))):
        yield


def get_custom_context() -> dict[str, str]:
    """Return the custom context that runs and children started here are given."""
    data = _current.get()
    return dict(_outer_custom_context.get() if data is None else data.custom_context)
