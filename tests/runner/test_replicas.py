"""A replica runs many attempts: beside each other, one after another, and none of them sees what another left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runner.conftest import StartWorker
from tests.runner.owner import Owner, decode, encode

pytestmark = pytest.mark.asyncio(loop_scope="module")

Bundle = Callable[[str], Path]


async def outputs_of(owner: Owner, lease: int) -> object:
    """The single output of an attempt."""
    (value,) = decode((await owner.end_of(lease)).outputs.inline)
    return value


async def test_coroutines_run_beside_each_other(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "running = 0\nmost = 0\n@env.task\nasync def meet(n: int) -> int:\n"
        "    global running, most\n    running += 1\n    most = max(most, running)\n"
        "    while most < 20:\n        await asyncio.sleep(0.001)\n    running -= 1\n    return n\n"
    )
    owner = await worker(replica=True)
    leases = [owner.assign("meet", encode(n=n), bundle=code, action=f"a{n}") for n in range(20)]
    assert [await outputs_of(owner, lease) for lease in leases] == list(range(20))


async def test_synchronous_tasks_run_one_after_another(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "running = 0\n@env.task\ndef alone() -> int:\n"
        "    global running\n    running += 1\n    time.sleep(0.01)\n    seen, running = running, running - 1\n"
        "    return seen\n"
    )
    owner = await worker(replica=True)
    leases = [owner.assign("alone", bundle=code, is_async=False, action=f"a{n}") for n in range(5)]
    assert [await outputs_of(owner, lease) for lease in leases] == [1] * 5


async def test_globals_stay_warm_and_all_else_is_put_back(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "import signal, tempfile\ncalls = []\n"
        "@env.task\ndef look() -> list[str]:\n"
        "    calls.append(1)\n"
        "    seen = [str(len(calls)), str('LEFT' in os.environ), os.environ.get('KEPT', ''), os.getcwd(),\n"
        "            str(signal.getsignal(signal.SIGUSR1)), str(os.listdir('.')),\n"
        "            str(os.listdir(tempfile.gettempdir())), str(sys.argv)]\n"
        "    os.environ['LEFT'] = '1'\n    del os.environ['KEPT']\n"
        "    open('file', 'w').close()\n    tempfile.mkdtemp()\n    os.chdir('/')\n"
        "    signal.signal(signal.SIGUSR1, lambda *_: None)\n    sys.argv.append('x')\n"
        "    return seen\n"
    )
    owner = await worker(replica=True, spec={"env": {"KEPT": "yes"}})
    first = await outputs_of(owner, owner.assign("look", bundle=code, is_async=False))
    second = await outputs_of(owner, owner.assign("look", bundle=code, is_async=False, action="a1"))
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert (first[0], second[0]) == ("1", "2")
    assert first[1:] == second[1:]
    assert first[1:3] == ["False", "yes"]
    assert first[5:7] == ["[]", "[]"]


async def test_a_secret_is_visible_only_to_the_attempt_that_asked(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "@env.task\ndef look() -> list[bool]:\n"
        "    path = os.path.join(os.environ.get('FLYTE_SECRETS_DIR', '/etc/flyte/secrets'), 'key')\n"
        "    return ['TOKEN' in os.environ, os.path.exists(path)]\n"
    )
    owner = await worker(replica=True)
    asked = owner.assign(
        "look",
        bundle=code,
        is_async=False,
        secret_env={"TOKEN": b"t"},
        secret_files={"/etc/flyte/secrets/key": b"k"},
    )
    assert await outputs_of(owner, asked) == [True, True]
    assert await outputs_of(owner, owner.assign("look", bundle=code, is_async=False, action="a1")) == [False, False]


async def test_contexts_are_apart(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "import contextvars\nvar = contextvars.ContextVar('v', default='fresh')\n"
        "@env.task\nasync def look(n: int) -> list[str]:\n"
        "    seen = var.get()\n    var.set('used')\n    await asyncio.sleep(0.01)\n"
        "    return [seen, flyte.ctx().action.name]\n"
    )
    owner = await worker(replica=True)
    leases = [owner.assign("look", encode(n=n), bundle=code, action=f"a{n}") for n in range(3)]
    assert [await outputs_of(owner, lease) for lease in leases] == [["fresh", f"a{n}"] for n in range(3)]


async def test_tasks_that_an_attempt_left_behind_go_with_it(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "left = []\n@env.task\nasync def leave() -> None:\n"
        "    left.append(asyncio.create_task(asyncio.sleep(60)))\n"
        "@env.task\nasync def look() -> bool:\n    return left[0].cancelled()\n"
    )
    owner = await worker(replica=True)
    await owner.end_of(owner.assign("leave", bundle=code))
    assert await outputs_of(owner, owner.assign("look", bundle=code, action="a1")) is True


async def test_cancelling_one_attempt_leaves_the_others(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\nasync def wait(s: float) -> str:\n    await asyncio.sleep(s)\n    return 'done'\n")
    owner = await worker(replica=True)
    long = owner.assign("wait", encode(s=60.0), bundle=code, action="a1")
    short = owner.assign("wait", encode(s=0.3), bundle=code, action="a2")
    await owner.until(lambda: len(owner.said("started")) == 2)
    owner.cancel(long)
    assert (await owner.end_of(long)).error.code == "CANCELLED"
    assert await outputs_of(owner, short) == "done"


async def test_an_interrupted_synchronous_attempt_makes_room_for_the_next(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\ndef wait(s: float) -> str:\n    print('waiting')\n    time.sleep(s)\n    return 'done'\n")
    owner = await worker(replica=True)
    stuck = owner.assign("wait", encode(s=60.0), bundle=code, is_async=False, action="a1")
    await owner.until(lambda: "waiting" in owner.logged(stuck))
    following = owner.assign("wait", encode(s=0.0), bundle=code, is_async=False, action="a2")
    owner.revoke(stuck)
    assert await outputs_of(owner, following) == "done"
    assert owner.ended(stuck) is None


async def test_an_attempt_that_is_cancelled_before_it_begins_never_runs(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\ndef wait(s: float) -> str:\n    print('ran', s)\n    time.sleep(s)\n    return 'done'\n")
    owner = await worker(replica=True)
    first = owner.assign("wait", encode(s=0.5), bundle=code, is_async=False, action="a1")
    second = owner.assign("wait", encode(s=0.25), bundle=code, is_async=False, action="a2")
    owner.cancel(second)
    assert (await owner.end_of(second)).error.code == "CANCELLED"
    assert await outputs_of(owner, first) == "done"
    assert "0.25" not in owner.logged()


async def test_a_drained_replica_finishes_and_exits(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("@env.task\nasync def wait() -> None:\n    await asyncio.sleep(0.2)\n")
    owner = await worker(replica=True)
    lease = owner.assign("wait", bundle=code)
    owner.drain()
    await owner.end_of(lease)
    assert (await owner.gone()).exit_code == 0
    assert len(owner.said("drained")) == 1


async def test_the_same_lease_assigned_twice_runs_once(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("ran = []\n@env.task\nasync def count() -> int:\n    ran.append(1)\n    return len(ran)\n")
    owner = await worker(replica=True, accept_ends=False)
    lease = owner.assign("count", bundle=code)
    owner.assign("count", bundle=code, lease=lease)
    assert await outputs_of(owner, lease) == 1
    owner.accept(lease)
    assert await outputs_of(owner, owner.assign("count", bundle=code)) == 2
