"""The environment of tasks, and the decorator that makes them.

env = flyte.TaskEnvironment("my_env", resources=flyte.Resources(cpu=1))

@env.task(retries=3)
async def my_task(x: int) -> int: ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Self, TypeVar, overload

from flyte.authoring.environment import _BASE_PARAMETERS, _UNSET, Environment
from flyte.authoring.function_task import AsyncFunctionTaskTemplate
from flyte.authoring.plugins import TaskPluginRegistry
from flyte.spec.cache import check_cache_request
from flyte.spec.documentation import Documentation
from flyte.spec.not_given import NOT_GIVEN, NotGiven
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.resolve import Level, Resolved, canonical
from flyte.spec.settings import TaskSettings

if TYPE_CHECKING:
    from flyte.authoring.task import TaskTemplate
    from flyte.spec.cache import CacheRequest
    from flyte.spec.image import Image
    from flyte.spec.pod_template import PodTemplateRequest
    from flyte.spec.resources import Resources
    from flyte.spec.retries import RetryStrategy
    from flyte.spec.reuse import ReusePolicy
    from flyte.spec.secrets import SecretRequest
    from flyte.spec.timeouts import TimeoutType
    from flyte.spec.triggers import Trigger

P = ParamSpec("P")
R = TypeVar("R")

_INHERITED = (
    *("image", "resources", "env_vars", "secrets", "service_account", "cache", "pod_template", "reusable", "queue"),
    *("interruptible", "plugin_config"),
)
_PARAMETERS = _BASE_PARAMETERS | {"cache", "reusable", "plugin_config", "queue", "task_queue"}


@dataclass(init=False, repr=False, eq=False)
class TaskEnvironment(Environment):
    """A set of tasks with common settings.

    Beside the parameters of every `Environment`:

    - `cache`: how results are cached unless a task says otherwise; "disable" by default.
    - `reusable`: keep containers warm and give them one task after another.
    - `plugin_config`: run the tasks with a plugin; not together with `reusable`.
    - `queue` (or `task_queue`): the queue of the tasks.
    """

    cache: CacheRequest = _UNSET
    reusable: ReusePolicy | None = _UNSET
    plugin_config: Any = _UNSET
    queue: str | None = _UNSET

    def __init__(
        self,
        name: str,
        depends_on: list[Environment] | NotGiven | None = NOT_GIVEN,
        pod_template: PodTemplateRequest | NotGiven | None = NOT_GIVEN,
        description: str | NotGiven | None = NOT_GIVEN,
        secrets: SecretRequest | NotGiven | None = NOT_GIVEN,
        env_vars: dict[str, str] | NotGiven | None = NOT_GIVEN,
        resources: Resources | NotGiven | None = NOT_GIVEN,
        interruptible: bool | NotGiven = NOT_GIVEN,
        image: str | Image | Literal["auto"] | NotGiven | None = NOT_GIVEN,
        include: tuple[str, ...] | list[str] | NotGiven = NOT_GIVEN,
        service_account: str | NotGiven | None = NOT_GIVEN,
        cache: CacheRequest | NotGiven = NOT_GIVEN,
        reusable: ReusePolicy | NotGiven | None = NOT_GIVEN,
        plugin_config: Any = NOT_GIVEN,
        queue: str | NotGiven | None = NOT_GIVEN,
        *,
        env: dict[str, str] | NotGiven | None = NOT_GIVEN,
        task_queue: str | NotGiven | None = NOT_GIVEN,
    ) -> None:
        given = {name_: value for name_, value in locals().items() if name_ not in ("self", "name", "__class__")}
        self._take(name, given)
        self.__post_init__()

    @classmethod
    def _parameters(cls) -> frozenset[str]:
        return _PARAMETERS

    def _take(self, name: str, given: Mapping[str, object]) -> None:
        values = canonical(given, level=Level.ENVIRONMENT)
        _check_task_parameters(values)
        self.cache = _as_given(values, "cache", "disable")
        self.reusable = _as_given(values, "reusable", None)
        self.plugin_config = _as_given(values, "plugin_config", None)
        self.queue = _as_given(values, "queue", None)
        self._tasks: dict[str, TaskTemplate[Any, Any, Any]] = {}
        super()._take(name, given)

    def __getstate__(self) -> dict[str, Any]:
        # A task that is pickled takes its environment along, but none of its siblings: one that cannot be pickled
        # would spoil all others, and those that it calls come with its function.
        return {**vars(self), "_tasks": {}}

    @property
    def tasks(self) -> dict[str, TaskTemplate[Any, Any, Any]]:
        """The tasks of the environment by full name."""
        return self._tasks

    @property
    def sandbox(self) -> Any:
        """Refused: code that is not trusted belongs into a task of its own."""
        raise AttributeError(
            "TaskEnvironment.sandbox is not part of this SDK. Run untrusted code in a task with an image, a service "
            "account and a network policy of its own."
        )

    @overload
    def task(self, _func: Callable[P, R], /) -> AsyncFunctionTaskTemplate[P, R, Callable[P, R]]: ...

    @overload
    def task(
        self,
        _func: None = None,
        *,
        short_name: str | NotGiven | None = ...,
        name: str | NotGiven | None = ...,
        cache: CacheRequest | NotGiven | None = ...,
        retries: int | RetryStrategy | NotGiven = ...,
        timeout: TimeoutType | NotGiven = ...,
        docs: Documentation | str | NotGiven | None = ...,
        secrets: SecretRequest | NotGiven | None = ...,
        resources: Resources | NotGiven | None = ...,
        pod_template: PodTemplateRequest | NotGiven | None = ...,
        report: bool | NotGiven = ...,
        interruptible: bool | NotGiven | None = ...,
        max_inline_io_bytes: int | NotGiven = ...,
        queue: str | NotGiven | None = ...,
        task_queue: str | NotGiven | None = ...,
        service_account: str | NotGiven | None = ...,
        triggers: Trigger | tuple[Trigger, ...] | NotGiven = ...,
        links: Any = ...,
        task_resolver: Any = ...,
        entrypoint: bool | NotGiven = ...,
        produces_artifacts: bool | NotGiven = ...,
    ) -> Callable[[Callable[P, R]], AsyncFunctionTaskTemplate[P, R, Callable[P, R]]]: ...

    def task(
        self,
        _func: Callable[..., Any] | None = None,
        *,
        short_name: str | NotGiven | None = NOT_GIVEN,
        name: str | NotGiven | None = NOT_GIVEN,
        cache: CacheRequest | NotGiven | None = NOT_GIVEN,
        retries: int | RetryStrategy | NotGiven = NOT_GIVEN,
        timeout: TimeoutType | NotGiven = NOT_GIVEN,
        docs: Documentation | str | NotGiven | None = NOT_GIVEN,
        secrets: SecretRequest | NotGiven | None = NOT_GIVEN,
        resources: Resources | NotGiven | None = NOT_GIVEN,
        pod_template: PodTemplateRequest | NotGiven | None = NOT_GIVEN,
        report: bool | NotGiven = NOT_GIVEN,
        interruptible: bool | NotGiven | None = NOT_GIVEN,
        max_inline_io_bytes: int | NotGiven = NOT_GIVEN,
        queue: str | NotGiven | None = NOT_GIVEN,
        task_queue: str | NotGiven | None = NOT_GIVEN,
        service_account: str | NotGiven | None = NOT_GIVEN,
        triggers: Trigger | tuple[Trigger, ...] | NotGiven = NOT_GIVEN,
        links: Any = NOT_GIVEN,
        task_resolver: Any = NOT_GIVEN,
        entrypoint: bool | NotGiven = NOT_GIVEN,
        produces_artifacts: bool | NotGiven = NOT_GIVEN,
    ) -> Any:
        """Make a task of a function, with or without parentheses.

        - `short_name` (or `name`): the friendly name; the full name stays environment and function.
        - `retries`, `timeout`: see `RetryStrategy` and `Timeout`; by default none of either.
        - `docs`: by default the function's docstring.
        - `report`: whether the task writes an HTML report.
        - `max_inline_io_bytes`: the most that all inputs, or all outputs, may weigh, files and frames aside.
        - everything else replaces what the environment says, for this task only. `resources`, `secrets`,
          `pod_template` and `service_account` cannot be given while the environment is reusable.

        Raises InvalidSetting (a ValueError) or InvalidSettingType (a TypeError) naming the parameter.
        """
        spelled = {name_: value for name_, value in locals().items() if name_ not in ("self", "_func")}
        given = canonical(spelled, level=Level.DECORATOR)

        def make(func: Callable[..., Any]) -> AsyncFunctionTaskTemplate[Any, Any, Any]:
            return self._make_task(func, given)

        return make if _func is None else make(_func)

    def _make_task(
        self, func: Callable[..., Any], given: Mapping[str, object]
    ) -> AsyncFunctionTaskTemplate[Any, Any, Any]:
        _check_function(func)
        task = TaskPluginRegistry.make(
            func=func,
            name=f"{self.name}.{func.__name__}",
            environment=self,
            settings=self._inherited(func),
            given=dict(given),
        )
        self._tasks[task.name] = task
        return task

    def _inherited(self, func: Callable[..., Any]) -> TaskSettings:
        defaults = TaskSettings(short_name=Resolved(func.__name__), docs=Resolved(_docs_of(func)))
        # An attribute that was assigned later counts as given, so that `env.image = ...` keeps its effect.
        said = {
            name: value
            for name in _INHERITED
            if (value := getattr(self, name)) is not None and (name in self._given or value != _default_of(name))
        }
        return defaults.with_level(said, level=Level.ENVIRONMENT)

    @classmethod
    def from_task(
        cls, name: str, *tasks: TaskTemplate[Any, Any, Any], depends_on: list[Environment] | None = None
    ) -> TaskEnvironment:
        """Make an environment of tasks that were made without one. All must have the same image.

        Raises InvalidSetting, a ValueError, without any task, or if their images differ, and InvalidSettingType for
        what is no task.
        """
        for task in tasks:
            _check_task(task)
        if not tasks:
            raise InvalidSetting("from_task needs at least one task", field="tasks")
        first = tasks[0]
        if any(task.image != first.image for task in tasks):
            raise InvalidSetting("Tasks must have the same image to be in the same environment.", field="image")
        environment = cls(
            name,
            depends_on=depends_on,
            image=first.image,
            resources=first.resources,
            env_vars=first.env_vars,
            secrets=first.secrets,
        )
        for task in tasks:
            environment._tasks[task.name] = task
            task._environment = task._environment or environment
        return environment

    def clone_with(
        self,
        name: str,
        image: str | Image | Literal["auto"] | NotGiven | None = NOT_GIVEN,
        resources: Resources | NotGiven | None = NOT_GIVEN,
        env_vars: dict[str, str] | NotGiven | None = NOT_GIVEN,
        secrets: SecretRequest | NotGiven | None = NOT_GIVEN,
        depends_on: list[Environment] | NotGiven | None = NOT_GIVEN,
        description: str | NotGiven | None = NOT_GIVEN,
        **kwargs: Any,
    ) -> Self:
        """Return a new environment, without the tasks, that differs from this one in what is given.

        `reusable="off"` leaves the reuse policy out. Raises InvalidSettingType for an unknown parameter.
        """
        given = {
            "image": image,
            "resources": resources,
            "env_vars": env_vars,
            "secrets": secrets,
            "depends_on": depends_on,
            "description": description,
            **kwargs,
        }
        return self._clone(name, given)


def _check_task(task: object) -> None:
    from flyte.authoring.task import TaskTemplate

    if not isinstance(task, TaskTemplate):
        raise InvalidSettingType(f"Expected tasks to be of type TaskTemplate, got {type(task)}", field="tasks")


def _check_function(func: object) -> None:
    from flyte.authoring.task import TaskTemplate

    if isinstance(func, TaskTemplate):
        raise InvalidSetting(f"{func.name} is a task already: decorate its function once.", field="task")
    if not callable(func) or not hasattr(func, "__name__"):
        raise InvalidSettingType(
            f"A task is made of a function, got {type(func)}. Write one that calls it.", field="task"
        )


def _check_task_parameters(values: Mapping[str, object]) -> None:
    if "cache" in values:
        check_cache_request(values["cache"])
    if "reusable" in values:
        from flyte.spec.reuse import ReusePolicy

        if not isinstance(values["reusable"], ReusePolicy):
            raise InvalidSettingType(
                f"Expected reusable to be of type ReusePolicy, got {type(values['reusable'])}", field="reusable"
            )
        if "plugin_config" in values:
            raise InvalidSetting("Cannot set plugin_config when environment is reusable.", field="plugin_config")
    if "queue" in values and not isinstance(values["queue"], str):
        raise InvalidSettingType(f"Expected queue to be of type str, got {type(values['queue'])}", field="queue")


def _as_given(values: Mapping[str, Any], name: str, default: Any) -> Any:
    return values.get(name, default)


def _default_of(name: str) -> object:
    return {"image": "auto", "cache": "disable", "interruptible": False}.get(name)


def _docs_of(func: Callable[..., Any]) -> Documentation | None:
    return Documentation.of_docstring(func.__doc__) if func.__doc__ else None
