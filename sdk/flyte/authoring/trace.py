"""`@flyte.trace`: remember what a function returned, so that a retried or recovered task does not run it again.

Works for functions, coroutine functions, generators and async generators. Where the controller records traces, a call
that an earlier attempt finished gives its outcome without running; everywhere else the function just runs. Failures
are not remembered: the next attempt tries again. A traced function cannot call tasks: those are remembered anyway.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar, cast

from flyte.authoring.context import TaskContextData, activate, current
from flyte.authoring.controller import TraceCall, TraceOutcome, TraceRecorder

P = ParamSpec("P")
R = TypeVar("R")


def trace(func: Callable[P, R]) -> Callable[P, R]:
    """Trace a function: inside of a task its calls and outcomes are recorded, and given again after a retry.

    Raises TypeError for what cannot be called.
    """
    if not callable(func):
        raise TypeError(f"flyte.trace takes a function, got {func!r}")
    if inspect.iscoroutinefunction(func):
        wrapper: Any = _traced_coroutine(func)
    elif inspect.isasyncgenfunction(func):
        wrapper = _traced_async_generator(func)
    elif inspect.isgeneratorfunction(func):
        wrapper = _traced_generator(func)
    else:
        wrapper = _traced_function(func)
    return cast(Callable[P, R], functools.wraps(func)(wrapper))


def _traced_coroutine(func: Callable[..., Any]) -> Callable[..., Any]:
    async def traced(*args: Any, **kwargs: Any) -> Any:
        context, recorder = _recorder()
        if context is None:
            return await func(*args, **kwargs)
        call = _call_of(func, args, kwargs)
        if recorder is not None and (known := await recorder.recall_trace(call)) is not None:
            return known.value
        with activate(context):
            value = await func(*args, **kwargs)
        if recorder is not None:
            await recorder.record_trace(call, TraceOutcome(value=value))
        return value

    return traced


def _traced_function(func: Callable[..., Any]) -> Callable[..., Any]:
    def traced(*args: Any, **kwargs: Any) -> Any:
        context, recorder = _recorder()
        if context is None:
            return func(*args, **kwargs)
        call = _call_of(func, args, kwargs)
        if recorder is not None and (known := recorder.recall_trace_sync(call)) is not None:
            return known.value
        with activate(context):
            value = func(*args, **kwargs)
        if recorder is not None:
            recorder.record_trace_sync(call, TraceOutcome(value=value))
        return value

    return traced


def _traced_async_generator(func: Callable[..., Any]) -> Callable[..., Any]:
    async def traced(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        context, recorder = _recorder()
        call = _call_of(func, args, kwargs)
        if recorder is not None and (known := await recorder.recall_trace(call)) is not None:
            for item in known.items:
                yield item
            return
        items: list[Any] = []
        generator = func(*args, **kwargs)
        try:
            while True:
                # The context holds while the function runs, not while its consumer does.
                with activate(context or current()):
                    try:
                        item = await anext(generator)
                    except StopAsyncIteration:
                        break
                items.append(item)
                yield item
        finally:
            await generator.aclose()
        if recorder is not None:
            await recorder.record_trace(call, TraceOutcome(items=tuple(items)))

    return traced


def _traced_generator(func: Callable[..., Any]) -> Callable[..., Any]:
    def traced(*args: Any, **kwargs: Any) -> Iterator[Any]:
        context, recorder = _recorder()
        call = _call_of(func, args, kwargs)
        if recorder is not None and (known := recorder.recall_trace_sync(call)) is not None:
            yield from known.items
            return
        items: list[Any] = []
        generator = func(*args, **kwargs)
        try:
            while True:
                with activate(context or current()):
                    try:
                        item = next(generator)
                    except StopIteration:
                        break
                items.append(item)
                yield item
        finally:
            generator.close()
        if recorder is not None:
            recorder.record_trace_sync(call, TraceOutcome(items=tuple(items)))

    return traced


def _recorder() -> tuple[TaskContextData | None, TraceRecorder | None]:
    """Return the context for a traced function, None outside of a task, and who records it, if anybody does."""
    data = current()
    if data is None:
        return None, None
    # A traced function inside of another one is part of it, and recorded with it.
    records = not data.in_trace and isinstance(data.controller, TraceRecorder)
    return replace(data, in_trace=True), cast(TraceRecorder, data.controller) if records else None


def _call_of(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> TraceCall:
    bound = inspect.signature(func).bind(*args, **kwargs)
    bound.apply_defaults()
    return TraceCall(f"{func.__module__}.{func.__qualname__}", dict(bound.arguments), time.time_ns())
