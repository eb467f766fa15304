"""What a worker remembers of tasks is bounded: the newest, which whoever declares them counts on."""

from __future__ import annotations

from flyte.runner.tasks import DeclaredTasks
from flyteapi.task.v1.task_spec_pb2 import TaskSpec


def test_a_worker_remembers_the_tasks_that_were_declared_last() -> None:
    tasks = DeclaredTasks(most=2)
    for name in ("a", "b", "a", "c"):
        tasks.declare(name.encode(), TaskSpec(name=name), f"/{name}")
    assert tasks.spec(b"b") is None
    assert (tasks.bundle_path(b"a"), tasks.bundle_path(b"c")) == ("/a", "/c")
