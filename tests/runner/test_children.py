"""Tasks that call tasks: names, batches, results, errors, and every kind of caller."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runner.conftest import StartWorker
from tests.runner.owner import Owner, decode, encode, succeeded

from flyteapi.common.v1.error_pb2 import ERROR_KIND_USER, TaskError
from flyteapi.common.v1.phase_pb2 import PHASE_FAILED, PHASE_SUCCEEDED
from flyteapi.scheduler.v1.worker_service_pb2 import ActionResult, SubmitAction
from flyteapi.task.v1.value_pb2 import Payload, PayloadReference

pytestmark = pytest.mark.asyncio(loop_scope="module")

Bundle = Callable[[str], Path]

CHILDREN = """
@env.task
async def double(x: int) -> int: ...

@env.task
def double_sync(x: int) -> int: ...
"""


def doubled(call: SubmitAction) -> ActionResult:
    """Answers a child as its function would."""
    (value,) = decode(call.inputs.inline)
    return succeeded(o0=2 * value)


def names_of(owner: Owner) -> list[str]:
    """Names of all children called."""
    return [call.name for call in owner.said("submit")]


async def test_a_child_is_awaited(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(CHILDREN + "@env.task\nasync def parent(x: int) -> int:\n    return await double(x) + 1\n")
    owner = await worker(children=doubled)
    end = await owner.end_of(owner.assign("parent", encode(x=4), bundle=code))
    assert decode(end.outputs.inline) == [9]


async def test_the_task_version_is_declared_once_and_before_its_first_use(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        CHILDREN + "@env.task\nasync def parent() -> int:\n"
        "    return sum(await asyncio.gather(*[double(n) for n in range(10)]))\n"
    )
    owner = await worker(children=doubled)
    end = await owner.end_of(owner.assign("parent", bundle=code))
    assert decode(end.outputs.inline) == [90]
    kinds = [report.WhichOneof("report") for report in owner.reports]
    assert kinds.count("declare_task") == 1
    assert kinds.index("declare_task") < kinds.index("submit")
    (declared,) = owner.said("declare_task")
    assert declared.digest == hashlib.sha256(declared.spec.SerializeToString(deterministic=True)).digest()
    assert declared.spec.name == "env.double"
    assert declared.spec.entrypoint.bundle_digest == "b" * 64


async def test_calls_of_one_turn_go_out_in_few_batches(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        CHILDREN + "@env.task\nasync def parent() -> int:\n"
        "    return sum(await asyncio.gather(*[double(n) for n in range(500)]))\n"
    )
    owner = await worker(children=doubled)
    await owner.end_of(owner.assign("parent", bundle=code))
    # A turn that takes long is interrupted by the pulse thread, which sends what there is so far.
    assert sum(owner.batches) >= 500
    assert len(owner.batches) <= 20
    # Nor do all wait for the end of the turn: whoever runs the first of them begins while the last are being made.
    assert max(owner.batches) <= 100


async def test_names_are_the_same_in_every_attempt_and_differ_between_calls(
    worker: StartWorker, bundle: Bundle
) -> None:
    code = bundle(
        CHILDREN + "@env.task\nasync def parent() -> None:\n"
        "    await asyncio.gather(double(1), double(1), double(2))\n"
        "    with flyte.group('again'):\n        await double(1)\n"
    )
    seen = []
    for attempt in (1, 2):
        owner = await worker(children=doubled)
        await owner.end_of(owner.assign("parent", bundle=code, attempt=attempt))
        seen.append(names_of(owner))
        assert [call.group for call in owner.said("submit")] == ["", "", "", "again"]
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 4


@pytest.mark.parametrize("call", ["await double(1)", "double_sync(1)"])
async def test_the_error_of_a_child_is_raised_in_its_parent(worker: StartWorker, bundle: Bundle, call: str) -> None:
    definition = "async def" if "await" in call else "def"
    code = bundle(
        CHILDREN + f"@env.task\n{definition} parent() -> list[str]:\n"
        f"    try:\n        {call}\n"
        "    except flyte.errors.RuntimeUserError as error:\n        return [error.code, str(error)]\n"
        "    return []\n"
    )
    failure = TaskError(kind=ERROR_KIND_USER, code="LookupError", message="no such row")
    owner = await worker(children=lambda _call: ActionResult(phase=PHASE_FAILED, error=failure))
    end = await owner.end_of(owner.assign("parent", bundle=code, is_async="await" in call))
    assert decode(end.outputs.inline) == [["LookupError", "no such row"]]


async def test_a_call_that_is_no_longer_awaited_is_cancelled(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        CHILDREN + "@env.task\nasync def parent() -> bool:\n"
        "    try:\n        await asyncio.wait_for(double(1), 0.05)\n"
        "    except TimeoutError:\n        return True\n    return False\n"
    )
    owner = await worker()
    end = await owner.end_of(owner.assign("parent", bundle=code))
    assert decode(end.outputs.inline) == [True]
    (submitted,), (cancelled,) = owner.said("submit"), owner.said("cancel_call")
    assert cancelled.call == submitted.call


async def test_wrong_inputs_are_refused_in_the_parent(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(CHILDREN + "@env.task\nasync def parent() -> int:\n    return await double('text')\n")
    owner = await worker(children=doubled)
    error = (await owner.end_of(owner.assign("parent", bundle=code))).error
    assert error.code == "TypeError"
    assert "'x'" in error.message
    assert owner.said("submit") == []


async def test_a_synchronous_parent_blocks_on_its_child(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(CHILDREN + "@env.task\ndef parent() -> list[int]:\n    return [double_sync(n) for n in range(20)]\n")
    owner = await worker(children=doubled)
    end = await owner.end_of(owner.assign("parent", bundle=code, is_async=False))
    assert decode(end.outputs.inline) == [[2 * n for n in range(20)]]


async def test_a_synchronous_parent_maps_all_at_once(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        CHILDREN + "@env.task\ndef parent() -> list[int]:\n    return list(flyte.map(double_sync, range(30)))\n"
    )
    owner = await worker(children=doubled)
    end = await owner.end_of(owner.assign("parent", bundle=code, is_async=False))
    assert decode(end.outputs.inline) == [[2 * n for n in range(30)]]
    assert {call.group for call in owner.said("submit")} == {"env.double_sync_map"}


async def test_a_synchronous_parent_may_run_a_loop_of_its_own(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        CHILDREN + "async def all_of() -> int:\n"
        "    return sum(await asyncio.gather(*[double(n) for n in range(10)]))\n"
        "@env.task\ndef parent() -> int:\n    return asyncio.run(all_of())\n"
    )
    owner = await worker(children=doubled)
    end = await owner.end_of(owner.assign("parent", bundle=code, is_async=False))
    assert decode(end.outputs.inline) == [90]


@pytest.mark.parametrize("is_async", [True, False])
async def test_children_may_be_called_from_threads(worker: StartWorker, bundle: Bundle, is_async: bool) -> None:
    code = bundle(
        CHILDREN + "@env.task\nasync def parent() -> int:\n"
        "    return sum(await asyncio.gather(*[asyncio.to_thread(double_sync, n) for n in range(8)]))\n"
        "from concurrent.futures import ThreadPoolExecutor\nfrom contextvars import copy_context\n"
        "@env.task\ndef parent_sync() -> int:\n"
        "    with ThreadPoolExecutor(4) as pool:\n"
        "        calls = [pool.submit(copy_context().run, double_sync, n) for n in range(8)]\n"
        "        return sum(call.result() for call in calls)\n"
    )
    owner = await worker(children=doubled)
    end = await owner.end_of(owner.assign("parent" if is_async else "parent_sync", bundle=code, is_async=is_async))
    assert decode(end.outputs.inline) == [56]


async def test_large_values_travel_by_reference_both_ways(worker: StartWorker, bundle: Bundle, tmp_path: Path) -> None:
    code = bundle(
        "@env.task\nasync def flip(data: bytes) -> bytes: ...\n"
        "@env.task\nasync def parent() -> int:\n    return len(await flip(b'z' * 300_000))\n"
    )

    def flipped(call: SubmitAction) -> ActionResult:
        reference = call.inputs.reference
        data = Path(reference.uri.removeprefix("file://")).read_bytes()
        assert hashlib.sha256(data).digest() == reference.sha256
        content = encode(o0=b"w" * 500_000)
        (tmp_path / "result").write_bytes(content)
        result = PayloadReference(uri=f"file://{tmp_path}/result", sha256=hashlib.sha256(content).digest())
        return ActionResult(phase=PHASE_SUCCEEDED, outputs=Payload(reference=result))

    owner = await worker(children=flipped)
    end = await owner.end_of(owner.assign("parent", bundle=code))
    assert decode(end.outputs.inline) == [500_000]


async def test_a_fan_out_of_large_inline_values_is_cut_into_frames(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "@env.task\nasync def size(data: bytes, n: int) -> int: ...\n"
        "@env.task\nasync def parent() -> int:\n"
        "    return sum(await asyncio.gather(*[size(b'z' * 200_000, n) for n in range(400)]))\n"
    )
    owner = await worker(children=lambda _call: succeeded(o0=1))
    end = await owner.end_of(owner.assign("parent", bundle=code))
    assert decode(end.outputs.inline) == [400]


async def test_custom_context_is_passed_on_only_where_it_differs(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        CHILDREN + "@env.task\nasync def parent() -> None:\n    await double(1)\n"
        "    with flyte.custom_context(team='b'):\n        await double(2)\n"
    )
    owner = await worker(children=doubled)
    await owner.end_of(owner.assign("parent", bundle=code, run={"custom_context": {"team": "a", "kept": "1"}}))
    assert [dict(call.custom_context) for call in owner.said("submit")] == [{}, {"team": "b", "kept": "1"}]


async def test_a_cancelled_parent_stops_waiting_for_its_child(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(CHILDREN + "@env.task\ndef parent() -> int:\n    return double_sync(1)\n")
    owner = await worker()
    lease = owner.assign("parent", bundle=code, is_async=False)
    await owner.until(lambda: owner.said("submit"))
    owner.cancel(lease, "aborted")
    assert (await owner.end_of(lease)).error.code == "CANCELLED"


async def test_a_blocking_call_on_the_loop_is_refused(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(CHILDREN + "@env.task\nasync def parent() -> int:\n    return double_sync(1)\n")
    owner = await worker(children=doubled)
    error = (await owner.end_of(owner.assign("parent", bundle=code))).error
    assert error.code == "SyncTaskCallInAsyncContextError"
    assert ".aio" in error.message


async def test_a_child_that_needs_no_worker_of_its_own_runs_beside_its_synchronous_parent(
    worker: StartWorker, bundle: Bundle
) -> None:
    """A replica may be given an async attempt while a synchronous parent on it waits for that very attempt."""
    code = bundle(
        CHILDREN
        + "@env.task\ndef parent() -> int:\n    return double_sync(1)\n"
        + "@env.task\nasync def other() -> int:\n    return 5\n"
    )
    owner = await worker(replica=True)
    parent = owner.assign("parent", bundle=code, is_async=False)
    (call,) = await owner.until(lambda: owner.said("submit"))
    other = owner.assign("other", bundle=code)
    assert decode((await owner.end_of(other)).outputs.inline) == [5]
    owner.answer(parent, call, succeeded(o0=2))
    assert decode((await owner.end_of(parent)).outputs.inline) == [2]


async def test_traced_calls_are_recorded_and_not_made_again(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "@flyte.trace\nasync def ask(question: str) -> str:\n    print('asked')\n    return question.upper()\n"
        "@flyte.trace\ndef count(n: int):\n    print('counted')\n    yield from range(n)\n"
        "@env.task\nasync def parent() -> list[str]:\n"
        "    return [await ask('why'), await ask('why'), await ask('how'), str(list(count(3)))]\n"
    )
    first = await worker()
    end = await first.end_of(lease := first.assign("parent", bundle=code))
    expected = [["WHY", "WHY", "HOW", "[0, 1, 2]"]]
    assert decode(end.outputs.inline) == expected
    assert first.logged(lease).split() == ["asked", "asked", "asked", "counted"]
    records = first.said("trace")
    assert [record.name for record in records] == ["user_code.ask"] * 3 + ["user_code.count"]

    second = await worker()
    end = await second.end_of(lease := second.assign("parent", bundle=code, attempt=2, traces=records[1:]))
    assert decode(end.outputs.inline) == expected
    assert second.logged(lease).split() == ["asked"]
