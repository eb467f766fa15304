"""What user code writes reaches the owner: of the right attempt, in order, in time, and before the attempt's end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.runner.conftest import StartWorker
from tests.runner.owner import encode

pytestmark = pytest.mark.asyncio(loop_scope="module")

Bundle = Callable[[str], Path]


async def test_output_and_error_come_in_order_and_before_the_end(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "@env.task\nasync def talk() -> None:\n"
        "    print('one')\n    print('two', file=sys.stderr)\n    print('three', end='')\n"
    )
    owner = await worker()
    lease = owner.assign("talk", bundle=code)
    await owner.end_of(lease)
    assert owner.logged(lease) == "one\ntwo\nthree"
    assert owner.logged(lease, stderr=True) == "two\n"
    kinds = [report.WhichOneof("report") for report in owner.reports]
    assert kinds.index("ended") == len(kinds) - 1


async def test_attempts_on_one_replica_do_not_mix(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "@env.task\nasync def talk(n: int) -> None:\n"
        "    for _ in range(3):\n        print('line', n)\n        await asyncio.sleep(0.001)\n"
    )
    owner = await worker(replica=True)
    leases = [owner.assign("talk", encode(n=n), bundle=code, action=f"a{n}") for n in range(5)]
    for n, lease in enumerate(leases):
        await owner.end_of(lease)
        assert owner.logged(lease) == f"line {n}\n" * 3


async def test_output_of_synchronous_code_does_not_wait_for_its_end(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "@env.task\ndef talk(marker: str) -> None:\n"
        "    print('begun')\n    while not os.path.exists(marker):\n        time.sleep(0.01)\n"
    )
    owner = await worker()
    marker = code.parent / "marker"
    lease = owner.assign("talk", encode(marker=str(marker)), bundle=code, is_async=False)
    await owner.until(lambda: owner.logged(lease) == "begun\n")
    marker.touch()
    await owner.end_of(lease)


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_flood_of_output_arrives_whole(worker: StartWorker, bundle: Bundle, is_async: bool) -> None:
    code = bundle(
        "def flood():\n    for n in range(100_000):\n        print('a line of some length, number', n)\n"
        "@env.task\nasync def talk() -> None:\n    flood()\n"
        "@env.task\ndef talk_sync() -> None:\n    flood()\n"
    )
    owner = await worker()
    lease = owner.assign("talk" if is_async else "talk_sync", bundle=code, is_async=is_async)
    await owner.end_of(lease)
    assert owner.logged(lease) == "".join(f"a line of some length, number {n}\n" for n in range(100_000))


async def test_threads_and_handlers_of_logging_are_captured_too(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "import logging, threading\nlogging.basicConfig(format='%(message)s')\n"
        "@env.task\nasync def talk() -> None:\n"
        "    logging.warning('from a logger')\n"
        "    thread = threading.Thread(target=print, args=('from a thread',))\n    thread.start()\n    thread.join()\n"
    )
    owner = await worker()
    lease = owner.assign("talk", bundle=code)
    await owner.end_of(lease)
    assert "from a logger\n" in owner.logged(lease)
    assert "from a thread\n" in owner.logged(lease)


async def test_output_at_import_belongs_to_the_attempt(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle("print('imported')\n@env.task\nasync def nothing() -> None: ...\n")
    owner = await worker()
    lease = owner.assign("nothing", bundle=code)
    await owner.end_of(lease)
    assert owner.logged(lease) == "imported\n"


async def test_what_programs_write_comes_through_the_pipe(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "import subprocess\n@env.task\ndef call() -> None:\n"
        "    subprocess.run(['echo', 'from a program'], check=True)\n    os.write(2, b'from a descriptor\\n')\n"
    )
    owner = await worker()
    await owner.end_of(owner.assign("call", bundle=code, is_async=False))
    await owner.gone()
    assert b"from a program\n" in owner.raw_output
    assert b"from a descriptor\n" in owner.raw_output


async def test_binary_and_broken_text_are_bearable(worker: StartWorker, bundle: Bundle) -> None:
    code = bundle(
        "@env.task\nasync def talk() -> None:\n"
        "    sys.stdout.buffer.write(b'\\xff')\n    print('\\udc80')\n    sys.stdout.flush()\n    sys.stdout.close()\n"
        "    print('still there')\n"
    )
    owner = await worker()
    lease = owner.assign("talk", bundle=code)
    end = await owner.end_of(lease)
    assert end.WhichOneof("outcome") == "outputs"
    chunks = b"".join(report.log.data for report in owner.reports if report.HasField("log"))
    assert chunks == b"\xff\\udc80\nstill there\n"
