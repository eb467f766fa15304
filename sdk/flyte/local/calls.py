"""How one action of a local run is carried out: cache, attempts, pauses, deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from flyte.errors import (
    DeadlineExceededError,
    MaxQueuedTimeExceededError,
    MaxRuntimeExceededError,
    NonRecoverableError,
)
from flyte.local.attempts import OutOfTime
from flyte.local.described import DescribedTask
from flyte.local.memory import ActionMemory
from flyte.local.reservations import Reservations
from flyte.local.settings import LocalRunSettings
from flyte.local.stored_data import is_data_there
from flyte.spec.digests import cache_key
from flyte.spec.retries import RetryStrategy
from flyte.spec.timeouts import TimeoutBounds
from flyte.types.interface import check_inline_size

DEFAULT_PAUSE_S: Final = 0.5
"""Before the first retry of a task that names no pause; doubled with each further one, as the platform does."""
LONGEST_DEFAULT_PAUSE_S: Final = 60.0
NO_BOUNDS: Final = TimeoutBounds()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCall:
    """One action: which task with which inputs, under which name."""

    task: DescribedTask
    inputs: bytes
    digest: bytes
    """Of the inputs that count."""
    action: str
    custom_context: Mapping[str, str]
    group: str | None = None


class Attempts(Protocol):
    """Who makes attempts."""

    async def attempt(
        self, call: LocalCall, number: int, *, limit_s: float | None, memory: ActionMemory | None
    ) -> bytes:
        """Return the serialised outputs of one attempt, or raise its error, or OutOfTime."""
        ...


@dataclass(frozen=True, slots=True)
class Clocked:
    """One action in time: when it has to be over at the latest, on the monotonic clock."""

    call: LocalCall
    ends_at: float | None

    @classmethod
    def begin(cls, call: LocalCall) -> Clocked:
        """Start the clock of an action."""
        deadline_s = call.task.bounds.deadline_s
        return cls(call, None if deadline_s is None else time.monotonic() + deadline_s)

    def bounded(self, seconds: float | None) -> tuple[float | None, bool]:
        """Return how long something that has a limit of its own may take, and whether it is the deadline that says
        so.
        """
        if self.ends_at is None:
            return seconds, False
        left = max(self.ends_at - time.monotonic(), 0.0)
        return (left, True) if seconds is None or left < seconds else (seconds, False)

    def deadline_exceeded(self) -> DeadlineExceededError:
        """Return the error of an action that is out of time."""
        task = self.call.task
        return DeadlineExceededError(f"{task.name} did not end within its deadline of {task.bounds.deadline_s:g} s.")


async def carry_out(call: LocalCall, *, run: LocalRunSettings, attempts: Attempts, reservations: Reservations) -> bytes:
    """Return the serialised outputs of an action, from the cache or from as many attempts as it takes."""
    task = call.task
    if len(call.inputs) > task.max_inline_io_bytes:
        check_inline_size(call.inputs, task.max_inline_io_bytes, "inputs")
    if run.disable_cache or task.cache is None:
        if not task.retries.count and task.bounds == NO_BOUNDS:
            return await attempts.attempt(call, 0, limit_s=None, memory=None)
        return await _all_attempts(Clocked.begin(call), attempts=attempts)
    clocked = Clocked.begin(call)
    key = cache_key(task.name, task.interface_digest, task.cache_version, call.digest)
    found = _lookup(task, key, run=run)
    if found is not None:
        return found
    if not task.cache.serialize:
        return await _computed(clocked, key, run=run, attempts=attempts)
    return await _computed_once(clocked, key, run=run, attempts=attempts, reservations=reservations)


def pause_s(strategy: RetryStrategy, retry: int) -> float:
    """Return the pause before the n-th retry, counted from 0, in seconds."""
    if strategy.backoff is not None:
        return strategy.backoff.compute_delay(retry).total_seconds()
    return min(DEFAULT_PAUSE_S * 2.0**retry, LONGEST_DEFAULT_PAUSE_S)


def _lookup(task: DescribedTask, key: bytes, *, run: LocalRunSettings) -> bytes | None:
    if run.overwrite_cache:
        return None
    found = run.cache.get(key, scope=run.cache_scope, max_age_s=task.max_age_s)
    if found is not None and not is_data_there(found):
        run.cache.drop(key, scope=run.cache_scope)
        return None
    return found


async def _computed(clocked: Clocked, key: bytes, *, run: LocalRunSettings, attempts: Attempts) -> bytes:
    outputs = await _all_attempts(clocked, attempts=attempts)
    run.cache.put(key, outputs, scope=run.cache_scope, task_name=clocked.call.task.name)
    return outputs


async def _computed_once(
    clocked: Clocked, key: bytes, *, run: LocalRunSettings, attempts: Attempts, reservations: Reservations
) -> bytes:
    """Compute while the key is reserved, unless somebody else has done so meanwhile."""
    task = clocked.call.task
    wait_s, is_deadline = clocked.bounded(task.bounds.max_queued_time_s)
    try:
        async with reservations.held(key, folder=run.reservations_folder, within_s=wait_s):
            found = _lookup(task, key, run=run)
            return found if found is not None else await _computed(clocked, key, run=run, attempts=attempts)
    except OutOfTime:
        if is_deadline:
            raise clocked.deadline_exceeded() from None
        raise MaxQueuedTimeExceededError(
            f"{task.name} waited longer than its max_queued_time of {wait_s:g} s for an equal call to end."
        ) from None


async def _all_attempts(clocked: Clocked, *, attempts: Attempts) -> bytes:
    task = clocked.call.task
    memory = ActionMemory() if task.retries.count else None
    number = 0
    try:
        while True:
            limit_s, is_deadline = clocked.bounded(task.bounds.max_runtime_s)
            try:
                return await attempts.attempt(clocked.call, number, limit_s=limit_s, memory=memory)
            except OutOfTime:
                failure: Exception = clocked.deadline_exceeded() if is_deadline else _ran_too_long(task)
            except Exception as error:
                failure = error
            if number >= task.retries.count or isinstance(failure, NonRecoverableError | DeadlineExceededError):
                raise failure
            await _pause(pause_s(task.retries, number), clocked)
            number += 1
    finally:
        if memory is not None:
            await memory.close()


async def _pause(seconds: float, clocked: Clocked) -> None:
    bounded, is_deadline = clocked.bounded(seconds)
    await asyncio.sleep(bounded or 0.0)
    if is_deadline:
        raise clocked.deadline_exceeded()


def _ran_too_long(task: DescribedTask) -> MaxRuntimeExceededError:
    return MaxRuntimeExceededError(
        f"An attempt of {task.name} ran longer than its timeout of {task.bounds.max_runtime_s:g} s."
    )
