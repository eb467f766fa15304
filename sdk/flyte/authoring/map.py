"""`flyte.map`: one task over many inputs.

Inside of a task every call is a child action; all of them are submitted at once, or as many as `concurrency` allows,
and results come in the order of the inputs. Outside of a task the calls are plain function calls, one after another.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from flyte.authoring.calls import refuse_blocking_on_a_loop
from flyte.authoring.context import TaskContextData, activate, current
from flyte.authoring.controller import Controller, DrivesCoroutines
from flyte.authoring.map_plan import MapPlan, plan_map

if TYPE_CHECKING:
    import asyncio

_END: Final = object()


class Mapper:
    """The type of `flyte.map`."""

    def __call__(
        self,
        func: Callable[..., Any] | partial[Any],
        *args: Iterable[Any],
        group_name: str | None = None,
        concurrency: int = 0,
        return_exceptions: bool = True,
    ) -> Generator[Any, None, None]:
        """Call a task for each element of the zipped iterables, and iterate over the results in their order.

        - `func`: a task, or a `functools.partial` of one that leaves exactly one parameter open.
        - `group_name`: the children are shown as "<task>_<group_name>", by default "<task>_map".
        - `concurrency`: the most calls at once, 0 for no limit.
        - `return_exceptions`: failures are results; with False the first is raised and the rest is cancelled.

        Raises TypeError for a wrong `func`, and SyncTaskCallInAsyncContextError on a running event loop inside of a
        task: use `flyte.map.aio` there.
        """
        plan = plan_map(func, args, group_name=group_name, concurrency=concurrency, return_exceptions=return_exceptions)
        context = current()
        if context is None or context.controller is None:
            return _plain_results(plan)
        refuse_blocking_on_a_loop("flyte.map(...)", instead="async for result in flyte.map.aio(...)")
        if isinstance(context.controller, DrivesCoroutines):
            return _driven_results(plan, context, context.controller)
        return _sequential_results(plan, context)

    def aio(
        self,
        func: Callable[..., Any] | partial[Any],
        *args: Iterable[Any],
        group_name: str | None = None,
        concurrency: int = 0,
        return_exceptions: bool = True,
    ) -> AsyncGenerator[Any, None]:
        """Do the same as an async iterator."""
        plan = plan_map(func, args, group_name=group_name, concurrency=concurrency, return_exceptions=return_exceptions)
        context = current()
        if context is None or context.controller is None:
            return _plain_results_async(plan)
        return _submitted_results(plan, context)


map = Mapper()
"""The one instance."""


async def _submitted_results(plan: MapPlan, context: TaskContextData) -> AsyncGenerator[Any, None]:
    """Submit within the window, yield in order, cancel what is left when the consumer goes away."""
    from flyte.authoring.map_window import MapWindow

    inside = context.with_group(plan.group)

    async def submit(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with activate(inside):
            return await _submit_one(plan.task, context.controller, args, kwargs)

    window = MapWindow(submit, plan.arguments, size=plan.window)
    try:
        while (call := window.first()) is not None:
            result = await _result_of(call, plan.return_exceptions)
            window.drop_first()
            yield result
    finally:
        await window.cancel()


async def _submit_one(task: Any, controller: Controller | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    from flyte.authoring.task import TaskTemplate

    if controller is not None and isinstance(task, TaskTemplate):
        return await controller.submit(task, args, kwargs)
    # A task that is known by reference only finds its controller itself.
    return await task.aio(*args, **kwargs) if hasattr(task, "aio") else await task(*args, **kwargs)


async def _result_of(call: asyncio.Future[Any], return_exceptions: bool) -> Any:
    try:
        return await call
    except Exception as error:
        if not return_exceptions:
            raise
        return error


def _driven_results(
    plan: MapPlan, context: TaskContextData, controller: DrivesCoroutines
) -> Generator[Any, None, None]:
    results = _submitted_results(plan, context)
    try:
        while (result := controller.drive(_next_of(results))) is not _END:
            yield result
    finally:
        controller.drive(results.aclose())


async def _next_of(results: AsyncGenerator[Any, None]) -> Any:
    # StopAsyncIteration must not pass through a future, so the end is a value.
    return await anext(results, _END)


def _sequential_results(plan: MapPlan, context: TaskContextData) -> Generator[Any, None, None]:
    inside = context.with_group(plan.group)
    for args, kwargs in plan.arguments:
        with activate(inside):
            result = _outcome(plan, args, kwargs)
        yield result


def _plain_results(plan: MapPlan) -> Generator[Any, None, None]:
    for args, kwargs in plan.arguments:
        result = _outcome(plan, args, kwargs)
        if hasattr(result, "__await__"):
            result = _run_to_end(result, plan.return_exceptions)
        yield result


async def _plain_results_async(plan: MapPlan) -> AsyncGenerator[Any, None]:
    for args, kwargs in plan.arguments:
        try:
            result = plan.task(*args, **kwargs)
            result = await result if hasattr(result, "__await__") else result
        except Exception as error:
            if not plan.return_exceptions:
                raise
            result = error
        yield result


def _outcome(plan: MapPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        return plan.task(*args, **kwargs)
    except Exception as error:
        if not plan.return_exceptions:
            raise
        return error


def _run_to_end(awaitable: Any, return_exceptions: bool) -> Any:
    """Run the coroutine of an async task to its end for a synchronous caller outside of any task.

    Where a loop runs already, as in a notebook, it runs on the loop of the SDK.
    """
    asyncio = sys.modules.get("asyncio") or __import__("asyncio")
    try:
        if asyncio._get_running_loop() is None:
            return asyncio.run(awaitable)
        from flyte.syncify import syncify

        return syncify.background.run(awaitable, what="flyte.map")
    except Exception as error:
        if not return_exceptions:
            raise
        return error
