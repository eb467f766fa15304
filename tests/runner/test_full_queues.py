"""Calls that find a queue full are made again by the worker; user code only waits."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from tests.runner.conftest import StartWorker
from tests.runner.owner import decode, succeeded

from flyte.runner.full_queues import MOST_TRIES, is_queue_full, waits
from flyteapi.common.v1.error_pb2 import ERROR_KIND_REFUSED, TaskError
from flyteapi.scheduler.v1.worker_service_pb2 import ActionResult, SubmitAction

Bundle = Callable[[str], Path]


def full(retry_after_ms: int = 1) -> ActionResult:
    """A refusal."""
    error = TaskError(kind=ERROR_KIND_REFUSED, code="QUEUE_FULL", message="queue gpu is full", recoverable=True)
    return ActionResult(error=error, retry_after=Duration(nanos=retry_after_ms * 1_000_000))


ASYNCHRONOUS = (
    "@env.task\nasync def child(x: int) -> int: ...\n@env.task\nasync def parent() -> int:\n    return await child(4)\n"
)
SYNCHRONOUS = "@env.task\ndef child(x: int) -> int: ...\n@env.task\ndef parent() -> int:\n    return child(4)\n"
THREADED = (
    "from concurrent.futures import ThreadPoolExecutor\nfrom contextvars import copy_context\n"
    "@env.task\ndef child(x: int) -> int: ...\n"
    "@env.task\ndef parent() -> int:\n"
    "    with ThreadPoolExecutor() as pool:\n        return pool.submit(copy_context().run, child, 4).result()\n"
)


@pytest.mark.parametrize(("source", "is_async"), [(ASYNCHRONOUS, True), (SYNCHRONOUS, False), (THREADED, False)])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_call_is_made_again_under_the_same_name_until_there_is_room(
    worker: StartWorker, bundle: Bundle, source: str, is_async: bool
) -> None:
    answers = [full(), full(), succeeded(o0=16)]
    owner = await worker(children=lambda submit: answers.pop(0))
    end = await owner.end_of(owner.assign("parent", bundle=bundle(source), is_async=is_async))
    assert decode(end.outputs.inline) == [16]
    calls: list[SubmitAction] = owner.said("submit")
    assert len({call.name for call in calls}) == 1
    assert len({call.call for call in calls}) == 3


@pytest.mark.asyncio(loop_scope="module")
async def test_another_refusal_is_raised_at_once(worker: StartWorker, bundle: Bundle) -> None:
    refusal = ActionResult(error=TaskError(kind=ERROR_KIND_REFUSED, code="TOO_MANY_CHILDREN", message="no"))
    owner = await worker(children=lambda submit: refusal)
    end = await owner.end_of(owner.assign("parent", bundle=bundle(ASYNCHRONOUS)))
    assert end.error.code == "TOO_MANY_CHILDREN"
    assert len(owner.said("submit")) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_a_cancelled_parent_does_not_go_on_asking(worker: StartWorker, bundle: Bundle) -> None:
    owner = await worker(children=lambda submit: full(60_000))
    lease = owner.assign("parent", bundle=bundle(ASYNCHRONOUS))
    await owner.until(lambda: owner.said("submit"))
    owner.cancel(lease)
    assert (await owner.end_of(lease)).HasField("error")
    assert len(owner.said("submit")) == 1


def test_waits_begin_with_what_is_proposed_and_double_up_to_ten_seconds() -> None:
    seconds = list(waits(full(500), rng=random.Random(1)))
    assert len(seconds) == MOST_TRIES - 1
    for number, wait_s in enumerate(seconds):
        base = min(0.5 * 2**number, 10.0)
        assert base <= wait_s <= 1.5 * base
    assert len(set(seconds)) > 90


def test_only_a_refusal_that_names_a_time_is_worth_another_try() -> None:
    assert is_queue_full(full())
    assert not is_queue_full(succeeded(o0=1))
    assert not is_queue_full(ActionResult(error=TaskError(code="QUEUE_FULL")))
