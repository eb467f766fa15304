"""A running attempt, as `flyte.io` sees one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flyte.authoring.bundles import RawDataPath
from flyte.authoring.context import TaskContextData, activate
from flyte.authoring.identity import ActionID
from flyte.authoring.task_context import TaskContext


@contextmanager
def attempt(prefix: str, *, action: str = "a0", run_base_dir: str = "") -> Iterator[None]:
    """Makes everything inside the block run inside of a task whose data goes below `prefix`."""
    context = TaskContext(
        action=ActionID(name=action), raw_data_path=RawDataPath(path=prefix), run_base_dir=run_base_dir
    )
    with activate(TaskContextData(task_context=context)):
        yield
