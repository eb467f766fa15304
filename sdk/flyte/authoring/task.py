"""A task: a name, an interface and resolved settings, which can be called.

`TaskTemplate` is the base of everything that can run as an action; `AsyncFunctionTaskTemplate` is the one that wraps a
function. A task is never changed: `override` returns a copy.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, Self, TypeVar, cast

from flyte.authoring import calls
from flyte.authoring.backend_hooks import BackendHooks
from flyte.authoring.dataclass_kinds import adopt
from flyte.authoring.settings_view import SettingsView
from flyte.spec.not_given import NOT_GIVEN, NotGiven
from flyte.spec.problems import InvalidSetting
from flyte.spec.resolve import BY_NAME, Level, canonical, refuse_override
from flyte.spec.settings import TaskSettings

if TYPE_CHECKING:
    from flyte.authoring.environment import Environment
    from flyte.authoring.interface import NativeInterface
    from flyte.spec.cache import CacheRequest
    from flyte.spec.check import CheckedSettings
    from flyte.spec.resources import Resources
    from flyte.spec.retries import RetryStrategy
    from flyte.spec.reuse import ReusePolicy
    from flyte.spec.secrets import SecretRequest
    from flyte.spec.timeouts import TimeoutType

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


def _environment_of(parent_env: Environment | Callable[[], Environment | None] | None) -> Environment | None:
    """The environment, or that of a weak reference to one, as the peer SDK has it."""
    return parent_env() if callable(parent_env) else parent_env


class TaskTemplate(SettingsView, BackendHooks, Generic[P, R, F]):
    """Something that can run as an action.

    Subclasses implement `execute`. Settings are given under the names of the `@env.task` parameters.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        adopt(cls)
        return super().__new__(cls)

    _call_as_async = True
    """Whether a call inside of a task returns an awaitable."""

    task_type_version: int = 0
    """What programs for the peer SDK read; this platform has one version of each type."""
    debuggable: bool = False
    ref: bool = False
    """Whether it stands for a task that is deployed elsewhere: those are `flyte.remote.TaskDetails`."""

    def __init__(
        self,
        *,
        name: str,
        interface: NativeInterface | None = None,
        task_type: str = "python",
        environment: Environment | None = None,
        parent_env: Environment | Callable[[], Environment | None] | None = None,
        settings: TaskSettings | None = None,
        **given: Any,
    ) -> None:
        self.name = name
        self.task_type = task_type
        self._interface = interface
        self._environment = environment or _environment_of(parent_env)
        base = settings or TaskSettings()
        for parameter in given:
            if parameter not in BY_NAME and not any(parameter in known.spellings for known in BY_NAME.values()):
                raise TypeError(f"{type(self).__name__}.__init__() got an unexpected keyword argument '{parameter}'")
        self._settings = base.with_level(canonical(given, level=Level.DECORATOR), level=Level.DECORATOR)

    def __post_init__(self) -> None:
        """Finish a template that a plugin wrote as a dataclass, where plugins extend this."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r})"

    def __copy__(self) -> Self:
        made = object.__new__(type(self))
        vars(made).update(vars(self))
        return made

    def __setstate__(self, state: dict[str, Any]) -> None:
        # An environment is pickled without its tasks; each that is pickled with it comes back to it.
        vars(self).update(state)
        if self._environment is not None:
            getattr(self._environment, "tasks", {}).setdefault(self.name, self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the task.

        Inside of a task this makes a child action: await the result of an async task; a call of a synchronous task
        blocks until the result is there. Outside of a task it is a plain call of the function.

        Raises SyncTaskCallInAsyncContextError for a blocking call on a running event loop, and
        TraceDoesNotAllowNestedTasksError inside of a traced function.
        """
        return cast(R, calls.call(self, args, kwargs))

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Call the task, synchronous or not, without blocking the event loop."""
        return await calls.call_async(self, args, kwargs)

    def forward(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Call what the task wraps, always as a plain call in this process."""
        return self.execute(*args, **kwargs)

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work, in the worker."""
        raise NotImplementedError(f"{type(self).__name__} does not implement execute()")

    async def pre(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Prepare an execution; what is returned is found under `flyte.ctx().data`."""
        return {}

    async def post(self, return_vals: Any) -> Any:
        """Finish an execution; what is returned becomes the outputs."""
        return return_vals

    @property
    def interface(self) -> NativeInterface:
        """The inputs and outputs. Raises NameError if an annotation does not resolve."""
        if self._interface is None:
            from flyte.authoring.interface import NativeInterface

            self._interface = NativeInterface({}, {})
        return self._interface

    @property
    def native_interface(self) -> NativeInterface:
        """The inputs and outputs, in Python types."""
        return self.interface

    @property
    def environment(self) -> Environment | None:
        """The environment that the task was made in."""
        return self._environment

    @property
    def parent_env_name(self) -> str | None:
        """The name of the environment that the task was made in."""
        return self._environment.name if self._environment else None

    @property
    def parent_env(self) -> weakref.ReferenceType[Environment] | None:
        """A weak reference to the environment that the task was made in: `task.parent_env()` is the environment."""
        return weakref.ref(self._environment) if self._environment is not None else None

    @property
    def json_schema(self) -> dict[str, Any]:
        """The inputs as the JSON Schema of one object."""
        return self.interface.json_schema

    @property
    def is_async(self) -> bool:
        """Whether calling it gives something to await."""
        return self._call_as_async

    @property
    def source_file(self) -> str | None:
        """The file that the task is defined in, if it is known."""
        return None

    def checked(self) -> CheckedSettings:
        """Return the strict reading of the settings.

        Raises InvalidSetting, a ValueError, for the first that the platform could not keep.
        """
        from flyte.spec.check import check_settings

        return check_settings(self._settings)

    def override(
        self,
        *,
        short_name: str | NotGiven | None = NOT_GIVEN,
        resources: Resources | NotGiven | None = NOT_GIVEN,
        cache: CacheRequest | NotGiven | None = NOT_GIVEN,
        retries: int | RetryStrategy | NotGiven | None = NOT_GIVEN,
        timeout: TimeoutType | NotGiven | None = NOT_GIVEN,
        reusable: ReusePolicy | Literal["off"] | NotGiven | None = NOT_GIVEN,
        env_vars: dict[str, str] | NotGiven | None = NOT_GIVEN,
        secrets: SecretRequest | NotGiven | None = NOT_GIVEN,
        service_account: str | NotGiven | None = NOT_GIVEN,
        max_inline_io_bytes: int | NotGiven | None = NOT_GIVEN,
        queue: str | NotGiven | None = NOT_GIVEN,
        interruptible: bool | NotGiven | None = NOT_GIVEN,
        entrypoint: bool | NotGiven | None = NOT_GIVEN,
        produces_artifacts: bool | NotGiven | None = NOT_GIVEN,
        links: tuple[Any, ...] | NotGiven | None = NOT_GIVEN,
        env: dict[str, str] | NotGiven | None = NOT_GIVEN,
        task_queue: str | NotGiven | None = NOT_GIVEN,
        **kwargs: Any,
    ) -> TaskTemplate[P, R, F]:
        """Return a copy of the task with other settings; the task itself stays as it is.

        Values replace, also empty ones: `retries=0`, `timeout=0`, `env={}` and `secrets=[]` are values. `env` is
        `env_vars` and `task_queue` is `queue`; giving both of a pair is a TypeError. While `reusable` holds, resources,
        variables, secrets and service account can be changed only together with `reusable="off"`.

        Raises InvalidSetting, a ValueError, for a setting that no override can change or a value that is not one.
        """
        for name in kwargs:
            refuse_override(name)
            raise TypeError(f"{type(self).__name__}.__init__() got an unexpected keyword argument '{name}'")
        given = canonical(
            {
                "short_name": short_name,
                "resources": resources,
                "cache": cache,
                "retries": retries,
                "timeout": timeout,
                "reusable": reusable,
                "env_vars": env_vars,
                "env": env,
                "secrets": secrets,
                "service_account": service_account,
                "max_inline_io_bytes": max_inline_io_bytes,
                "queue": queue,
                "task_queue": task_queue,
                "interruptible": interruptible,
                "entrypoint": entrypoint,
                "produces_artifacts": produces_artifacts,
                "links": links,
            },
            level=Level.OVERRIDE,
        )
        return self.with_settings(self._settings.with_level(given, level=Level.OVERRIDE))

    with_overrides = override

    def with_settings(self, settings: TaskSettings) -> TaskTemplate[P, R, F]:
        """Return a copy of the task that carries these settings."""
        self._check_settings(settings)
        changed = copy.copy(self)
        changed._settings = settings
        return changed

    def _check_settings(self, settings: TaskSettings) -> None:
        """Raise InvalidSetting for settings that this kind of task cannot have."""
        if settings.reusable.value is not None and settings.plugin_config.value is not None:
            raise InvalidSetting("Cannot set plugin_config when environment is reusable.", field="plugin_config")
