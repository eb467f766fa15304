"""How one action of a local run is carried out: cache, attempts, pauses, deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyte.authoring.bundles import RawDataPath
from flyte.authoring.context import TaskContextData, activate
from flyte.authoring.identity import ActionID
from flyte.authoring.task_context import TaskContext
from flyte.errors import DeadlineExceededError, MaxRuntimeExceededError, NonRecoverableError
from flyte.local.attempts import OutOfTime, run_async, run_in_thread
from flyte.local.cache import ResultCache
from flyte.local.variables import VariableLayers
from flyte.report.document import Report
from flyte.spec.digests import cache_key, interface_digest
from flyte.spec.retries import RetryStrategy
from flyte.spec.timeouts import TimeoutBounds, timeout_bounds
from flyte.types.interface import InterfaceCodec, check_inline_size, interface_codec

if TYPE_CHECKING:
    from flyte.authoring.controller import Controller
    from flyte.authoring.task import TaskTemplate

DEFAULT_PAUSE_S = 0.5
LONGEST_DEFAULT_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRunSettings:
    """What holds for all actions of a local run."""

    name: str
    project: str
    domain: str
    folder: Path
    """Where the run keeps its data, an own folder for each action."""

    start_time: datetime
    cache: ResultCache
    variables: VariableLayers
    env_vars: Mapping[str, str] = field(default_factory=dict)
    raw_data_path: str | None = None
    overwrite_cache: bool = False
    disable_cache: bool = False
    cache_scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCall:
    """One action: which task with which inputs, under which name."""

    task: TaskTemplate[Any, Any, Any]
    inputs: bytes
    action: str
    custom_context: Mapping[str, str]


async def carry_out(call: LocalCall, *, run: LocalRunSettings, controller: Controller, locks: KeyLocks) -> bytes:
    """Return the serialised outputs of an action, from the cache or from as many attempts as it takes."""
    codec = interface_codec(call.task.interface)
    check_inline_size(call.inputs, call.task.max_inline_io_bytes, "inputs")
    cache = call.task.cache
    if run.disable_cache or not cache.is_enabled():
        return await _attempts(call, codec, run=run, controller=controller)
    key = _key(call, codec)
    if not cache.serialize:
        return await _cached(call, codec, key, run=run, controller=controller)
    async with locks.of(key):
        return await _cached(call, codec, key, run=run, controller=controller)


class KeyLocks:
    """One lock for each cache key, so that of equal serialised calls one computes and the others wait."""

    def __init__(self) -> None:
        self._locks: dict[bytes, asyncio.Lock] = {}

    def of(self, key: bytes) -> asyncio.Lock:
        """Return the lock of a key."""
        return self._locks.setdefault(key, asyncio.Lock())


def _key(call: LocalCall, codec: InterfaceCodec) -> bytes:
    task = call.task
    version_of = getattr(task, "cache_version", None)
    version: str = version_of() if version_of is not None else task.cache.get_version()
    digest = codec.inputs_digest(call.inputs, ignored=task.cache.get_ignored_inputs())
    return cache_key(task.name, interface_digest(codec.to_proto()), version, digest)


async def _cached(
    call: LocalCall, codec: InterfaceCodec, key: bytes, *, run: LocalRunSettings, controller: Controller
) -> bytes:
    if not run.overwrite_cache:
        found = run.cache.get(key, scope=run.cache_scope, max_age_s=call.task.cache.max_age_s)
        if found is not None:
            return found
    outputs = await _attempts(call, codec, run=run, controller=controller)
    run.cache.put(key, outputs, scope=run.cache_scope, task_name=call.task.name)
    return outputs


async def _attempts(call: LocalCall, codec: InterfaceCodec, *, run: LocalRunSettings, controller: Controller) -> bytes:
    bounds = timeout_bounds(call.task.timeout)
    ends_at = None if bounds.deadline_s is None else time.monotonic() + bounds.deadline_s
    strategy = call.task.retries
    attempt = 0
    while True:
        limit_s, is_deadline = _limit(bounds, ends_at)
        try:
            return await _attempt(call, codec, attempt, limit_s=limit_s, run=run, controller=controller)
        except OutOfTime:
            failure: Exception = _timeout_error(call, bounds, is_deadline=is_deadline)
        except Exception as error:
            failure = error
        if attempt >= strategy.count or isinstance(failure, NonRecoverableError | DeadlineExceededError):
            raise failure
        await _pause(pause_s(strategy, attempt), call, bounds, ends_at)
        attempt += 1


def pause_s(strategy: RetryStrategy, retry: int) -> float:
    """Return the pause before the n-th retry, counted from 0, in seconds."""
    if strategy.backoff is not None:
        return strategy.backoff.compute_delay(retry).total_seconds()
    return min(DEFAULT_PAUSE_S * 2.0**retry, LONGEST_DEFAULT_PAUSE_S)


def _limit(bounds: TimeoutBounds, ends_at: float | None) -> tuple[float | None, bool]:
    """Return how long an attempt may run, and whether it is the deadline that says so."""
    left = None if ends_at is None else max(ends_at - time.monotonic(), 0.0)
    if left is not None and (bounds.max_runtime_s is None or left < bounds.max_runtime_s):
        return left, True
    return bounds.max_runtime_s, False


async def _pause(seconds: float, call: LocalCall, bounds: TimeoutBounds, ends_at: float | None) -> None:
    left = None if ends_at is None else ends_at - time.monotonic()
    if left is not None and left <= seconds:
        await asyncio.sleep(max(left, 0.0))
        raise _timeout_error(call, bounds, is_deadline=True)
    await asyncio.sleep(seconds)


def _timeout_error(call: LocalCall, bounds: TimeoutBounds, *, is_deadline: bool) -> Exception:
    if is_deadline:
        return DeadlineExceededError(f"{call.task.name} did not end within its deadline of {bounds.deadline_s:g} s")
    return MaxRuntimeExceededError(f"{call.task.name} ran longer than its timeout of {bounds.max_runtime_s:g} s")


async def _attempt(
    call: LocalCall,
    codec: InterfaceCodec,
    attempt: int,
    *,
    limit_s: float | None,
    run: LocalRunSettings,
    controller: Controller,
) -> bytes:
    inputs = codec.decode_inputs(call.inputs)
    context = _context(call, attempt, run=run)
    variables = {**run.env_vars, **(call.task.env_vars or {})}
    with activate(TaskContextData(task_context=context, controller=controller)), run.variables.applied(variables):
        if call.task.is_async:
            result = await run_async(call.task.execute(**inputs), limit_s=limit_s)
        else:
            result = await run_in_thread(lambda: run_to_end(call.task.execute(**inputs)), limit_s=limit_s)
    outputs = codec.encode_outputs(result)
    check_inline_size(outputs, call.task.max_inline_io_bytes, "outputs")
    if call.task.report:
        context.report.flush()
    return outputs


def run_to_end(coroutine: Any) -> Any:
    """Run a coroutine that awaits nothing, such as `execute` of a synchronous task, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("a synchronous task awaited something before or after its function")


def _context(call: LocalCall, attempt: int, *, run: LocalRunSettings) -> TaskContext:
    folder = run.folder / call.action
    return TaskContext(
        action=ActionID(name=call.action, run_name=run.name, project=run.project, domain=run.domain),
        raw_data_path=RawDataPath(path=run.raw_data_path or str(folder / "data")),
        output_path=str(folder),
        run_base_dir=str(run.folder),
        report=Report(folder / "report.html"),
        mode="local",
        custom_context=call.custom_context,
        run_start_time=run.start_time,
        attempt_number=attempt,
    )
