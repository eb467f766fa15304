"""An attempt in a pod: what its task sees, in which order its words arrive, and how its end is told."""

from __future__ import annotations

from collections.abc import Callable

from tests.runner.owner import decode, encode
from tests.runner.pod.conftest import StartPod
from tests.support.worker_owner import Listener, StoredData, WorkerOwner

Bundle = Callable[[str], str]


async def test_a_task_runs_with_the_bundle_it_was_fetched_with(
    owner: WorkerOwner, listener: Listener, data: StoredData, start_pod: StartPod, bundle: Bundle
) -> None:
    owner.assign(
        "double",
        encode(x=21),
        bundle=bundle("@env.task\nasync def double(x: int) -> int:\n    print('hello')\n    return 2 * x\n"),
    )
    pod = await start_pod(listener.address)
    end = await owner.end()
    assert decode(end.outputs.inline) == [42]
    assert await pod.exit_code() == 0
    assert owner.hellos[0].token == "the-token"
    assert data.tokens == {"Bearer the-token"}
    assert [report.WhichOneof("report") for report in owner.reports] == ["started", "log", "ended"]
    assert owner.logged() == "hello\n"
    assert pod.stdout == b"hello\n"
