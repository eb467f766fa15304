"""The task that wraps a function, synchronous or async."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from flyte.authoring.interface import NativeInterface, refuse_variable_parameters
from flyte.authoring.task import TaskTemplate
from flyte.spec.cache import VersionParameters
from flyte.spec.problems import InvalidSetting

if TYPE_CHECKING:
    from flyte.spec.settings import TaskSettings

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

_COROUTINE: Final = 0x80
"""`inspect.CO_COROUTINE`. In a pod `inspect` itself is loaded when something of it is used."""


class _LazyInterface:
    """The interface of a function, read once for a task and all copies that overrides make of it."""

    __slots__ = ("_func", "_interface")

    def __init__(self, func: Callable[..., Any]) -> None:
        self._func = func
        self._interface: NativeInterface | None = None

    def get(self) -> NativeInterface:
        if self._interface is None:
            self._interface = NativeInterface.from_callable(self._func)
        return self._interface


class AsyncFunctionTaskTemplate(TaskTemplate[P, R, F]):
    """A function as a task. Made by `@env.task`."""

    def __init__(self, *, func: Callable[P, R], name: str, **given: Any) -> None:
        refuse_variable_parameters(func)
        self.func = func
        self._lazy_interface = _LazyInterface(func)
        self._call_as_async = _is_coroutine_function(func)
        super().__init__(name=name, **given)
        self._check_settings(self._settings)
        self.__name__ = getattr(func, "__name__", name)
        self.__qualname__ = getattr(func, "__qualname__", name)
        self.__module__ = func.__module__
        self.__doc__ = func.__doc__
        self.__wrapped__ = func

    @property
    def interface(self) -> NativeInterface:
        """The inputs and outputs, read from the annotations when first asked for."""
        return self._interface or self._lazy_interface.get()

    def forward(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself; a coroutine function gives a coroutine."""
        return self.func(*args, **kwargs)

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Prepare, call the function, finish. A synchronous function blocks the event loop meanwhile."""
        data = await self.pre(*args, **kwargs)
        if data:
            from flyte.authoring.context import ctx

            ctx().data.update(data)
        result: Any = self.func(*args, **kwargs)
        return await self.post(await result if self._call_as_async else result)

    @property
    def source_file(self) -> str | None:
        """The file that the function is defined in, None for one typed into an interpreter."""
        try:
            return inspect.getsourcefile(inspect.unwrap(self.func))
        except TypeError:
            return None

    def cache_version(self, *, code_bundle: Any = None, container_image: Any = None) -> str:
        """Return the cache version of the task; "" when it is not cached."""
        parameters = VersionParameters(
            func=self.func,
            container_image=self.image if container_image is None else container_image,
            pod_template=self.pod_template,
            code_bundle=code_bundle,
        )
        return self.cache.get_version(parameters)

    def _check_settings(self, settings: TaskSettings) -> None:
        super()._check_settings(settings)
        reusable = settings.reusable.value
        if reusable is not None and reusable.concurrency > 1 and not self._call_as_async:
            raise InvalidSetting(
                "Reusable environments with concurrency greater than 1 are only supported for async tasks. "
                "Please use an async function or set concurrency to 1.",
                field="reusable.concurrency",
            )


def _is_coroutine_function(func: Callable[..., Any]) -> bool:
    code = getattr(func, "__code__", None)
    return bool(code is not None and code.co_flags & _COROUTINE) or inspect.iscoroutinefunction(func)
