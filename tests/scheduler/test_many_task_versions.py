"""Versions of tasks by the thousand, as overrides make them: known to whoever calls them, and no memory for ever."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

from tests.scheduler.harness import Bench, task

from flyte.spec.digests import task_digest
from flyteplane.scheduler.application.living import TaskRecord
from flyteplane.scheduler.application.tasks import MOST_IDLE, Tasks
from flyteplane.scheduler.domain.phases import Phase
from flyteplane.scheduler.store.memory_records import MemoryRecords


def declare_many(tasks: Tasks, count: int) -> None:
    for number in range(count):
        spec = task(f"env.other{number}")
        tasks.declare(task_digest(spec), spec)


async def test_versions_that_nobody_uses_are_forgotten_once_they_are_stored() -> None:
    asked: list[tuple[TaskRecord, Callable[[], None]]] = []
    tasks = Tasks(records=MemoryRecords().open(), store=lambda *asking: asked.append(asking), most_idle=2)
    declare_many(tasks, 2)
    used = tasks.declare(task_digest(task("env.used")), task("env.used"))
    ((oldest, stored),) = asked
    forgotten = weakref.ref(oldest)
    asked.clear()
    del oldest
    gc.collect()
    assert forgotten() is not None, "it was not stored yet, and could not have been read back"
    stored()
    del stored
    gc.collect()
    assert forgotten() is None
    declare_many(tasks, 8)
    assert tasks.get(used.digest) is used, "somebody holds it"


async def test_a_task_that_was_declared_long_ago_can_still_be_called(bench: Bench) -> None:
    await bench.submit(task("env.parent"))
    lease, late = bench.workers.lease_of("a0"), task("env.late")
    digest = task_digest(late)
    await bench.say(lease, declare_task={"digest": digest, "spec": late})
    declare_many(bench.scheduler.tasks, MOST_IDLE + 1)
    await bench.scheduler.engine.turn.durable()
    gc.collect()
    assert bench.scheduler.tasks.get(digest) is None
    submit = {"call": 1, "name": "c1", "task_digest": digest, "inputs_digest": b"i" * 32}
    # Said twice, as after a stream that broke: it is called once.
    await bench.say(lease, submit=submit)
    await bench.say(lease, submit=submit)
    await bench.succeed("c1", b"value")
    assert bench.results(lease) == [(1, Phase.SUCCEEDED, b"value")]
    assert [action.name for _, action in bench.workers.placed] == ["a0", "c1"]
