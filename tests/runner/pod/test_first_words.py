"""A pod hears its attempt before gRPC is loaded; whatever goes wrong with that, the session sees to it."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from tests.runner.owner import decode, encode
from tests.runner.pod.conftest import StartPod
from tests.support.worker_owner import LEASE, Listener, NotTheLeader, StoredData, WorkerOwner

from flyte.runner.contact import Contact
from flyte.runner.pod.endpoints import Endpoints
from flyte.runner.pod.first_request import first_request
from flyte.runner.pod.first_words import PATIENCE_S, FirstOrders, FirstWords
from flyte.runner.pod.hello import hello
from flyte.spec.worker_exits import OUT_OF_CONTACT, REFUSED
from flyteapi.scheduler.v1.worker_service_pb2 import SessionRequest, WorkerReport

Bundle = Callable[[str], str]

FIVE = "@env.task\nasync def f() -> int:\n    print('ran')\n    return 5\n"
WAITS_FOR_FILE = (
    "@env.task\nasync def f(path: str) -> int:\n    print('ran')\n    open(path + '.begun', 'w').close()\n"
    "    while not os.path.exists(path):\n        await asyncio.sleep(0.01)\n    return 1\n"
)


@asynccontextmanager
async def strange_listener(says: bytes | None) -> AsyncIterator[str]:
    """Somebody who takes connections and says something else, or nothing; yields host:port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if says is not None:
            writer.write(says)
            await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1")
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def ask(
    *addresses: str, token: str = "the-token", contact: Contact | None = None, patience_s: float = 20.0
) -> FirstOrders | None:
    """First words as an agent says them, which has less patience than a busy machine needs."""
    endpoints, contact = Endpoints(addresses, rng=random.Random(1)), contact or Contact(20.0)
    words = FirstWords(endpoints, token=token, contact=contact, patience_s=patience_s)
    return await asyncio.to_thread(words.begin().answer)


@pytest.mark.parametrize("token", ["t", "the-token" * 100, "sn\N{SNOWMAN}w" * 5_000])
def test_the_first_request_is_what_protobuf_would_make_of_it(token: str) -> None:
    expected = SessionRequest(reports=[WorkerReport(hello=hello(token))])
    assert SessionRequest.FromString(first_request(token)) == expected
    assert first_request(token) == expected.SerializeToString()


async def test_the_orders_and_the_code_come_with_the_first_words(
    owner: WorkerOwner, listener: Listener, data: StoredData, bundle: Bundle
) -> None:
    digest = bundle(FIVE)
    owner.assign("f", bundle=digest)
    contact = Contact(20.0)
    before = contact.now()
    first = await ask(listener.address, contact=contact)
    assert first is not None
    assert [order.WhichOneof("order") for order in first.orders] == ["declare_run", "declare_task", "assign"]
    assert first.bundle == data.bundles[digest]
    assert data.tokens == {"Bearer the-token"}
    assert before <= first.sent_at <= contact.now()
    assert not contact.begun


async def test_a_scheduler_is_found_by_its_name_too(owner: WorkerOwner, listener: Listener, bundle: Bundle) -> None:
    owner.assign("f", bundle=bundle(FIVE))
    _, _, port = listener.address.rpartition(":")
    assert await ask("n\N{LATIN SMALL LETTER O WITH STROKE}where:1", f"localhost:{port}") is not None


async def test_inputs_and_code_of_megabytes_come_whole(
    owner: WorkerOwner, listener: Listener, data: StoredData, bundle: Bundle
) -> None:
    digest = bundle(FIVE)
    data.bundles[digest] = random.Random(2).randbytes(7 << 20)
    inputs = random.Random(3).randbytes(3 << 20)
    owner.assign("f", inputs, bundle=digest)
    first = await ask(listener.address)
    assert first is not None
    assert first.orders[-1].assign.inputs.inline == inputs
    assert first.bundle == data.bundles[digest]


async def test_code_that_is_too_long_or_not_there_is_left_for_later(
    owner: WorkerOwner, listener: Listener, data: StoredData, bundle: Bundle
) -> None:
    digest = bundle(FIVE)
    owner.assign("f", bundle=digest)
    for content in (bytes(9 << 20), None):
        if content is None:
            del data.bundles[digest]
        else:
            data.bundles[digest] = content
        first = await ask(listener.address)
        assert first is not None
        assert first.orders[-1].HasField("assign")
        assert first.bundle == b""


async def test_a_scheduler_that_does_not_lead_gives_nothing_and_the_next_is_asked(
    owner: WorkerOwner, listener: Listener, bundle: Bundle
) -> None:
    owner.assign("f", bundle=bundle(FIVE))
    standby = NotTheLeader()
    other = await Listener(standby).start()
    try:
        assert await ask(other.address) is None
        assert await ask(other.address, listener.address, "127.0.0.1:1") is not None
        assert standby.asked >= 1
    finally:
        await other.stop()


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.FAILED_PRECONDITION])
async def test_a_worker_that_is_refused_is_given_nothing(
    owner: WorkerOwner, listener: Listener, bundle: Bundle, code: grpc.StatusCode
) -> None:
    owner.assign("f", bundle=bundle(FIVE))
    owner.refusal = code
    assert await ask(listener.address, token="stale") is None


@pytest.mark.parametrize("says", [None, b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(64), b"\xff" * 64])
async def test_whoever_speaks_something_else_is_left_to_the_session(says: bytes | None) -> None:
    began = time.monotonic()
    async with strange_listener(says) as address:
        assert await ask(address, patience_s=PATIENCE_S) is None
    assert time.monotonic() - began < 10.0


async def test_the_session_goes_on_with_the_attempt_that_runs_already(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    owner.assign("f", bundle=bundle(FIVE))
    pod = await start_pod(listener.address)
    assert decode((await owner.end()).outputs.inline) == [5]
    assert await pod.exit_code() == 0
    assert [list(hello.running) for hello in owner.hellos] == [[], [LEASE]]
    assert {hello.token for hello in owner.hellos} == {"the-token"}
    assert pod.stdout == b"ran\n"


async def test_an_attempt_with_inputs_of_megabytes_runs(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    digest = bundle("@env.task\nasync def f(text: str) -> int:\n    return len(text)\n")
    owner.assign("f", encode(text="\N{SNOWMAN}" * 3_000_000), bundle=digest)
    pod = await start_pod(listener.address)
    assert decode((await owner.end()).outputs.inline) == [3_000_000]
    assert await pod.exit_code() == 0


async def test_a_pod_that_meets_silence_first_runs_its_task_by_the_session_alone(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    owner.assign("f", bundle=bundle(FIVE))
    async with strange_listener(None) as silent:
        # Each of them begins with the one or the other.
        pods = [await start_pod(silent, listener.address, contact_s=6.0) for _ in range(2)]
        for pod in pods:
            assert await pod.exit_code(within_s=40) == 0
            assert pod.stdout == b"ran\n"


async def test_a_scheduler_that_dies_after_the_first_words_is_replaced_and_the_task_runs_once(
    owner: WorkerOwner, listener: Listener, data: StoredData, start_pod: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    path, begun = tmp_path / "go", tmp_path / "go.begun"
    os.mkfifo(begun)
    owner.assign("f", encode(path=str(path)), bundle=bundle(WAITS_FOR_FILE))
    successor = WorkerOwner()
    second = Listener(successor, data)
    await second.start()
    await second.stop()
    try:
        pod = await start_pod(listener.address, second.address)
        await asyncio.to_thread(begun.read_bytes)
        # The agent gives its task a head start before it loads gRPC, so it has no session yet.
        await listener.stop()
        assert not owner.hellos[0].running
        await second.start()
        await successor.until(lambda: successor.said("started"))
        path.touch()
        assert decode((await successor.end()).outputs.inline) == [1]
        assert await pod.exit_code() == 0
        assert list(successor.hellos[0].running) == [LEASE]
        assert pod.stdout == b"ran\n"
    finally:
        await second.stop()


async def test_a_task_that_had_first_words_only_is_killed_in_time(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle, tmp_path: Path
) -> None:
    path, begun = tmp_path / "go", tmp_path / "go.begun"
    os.mkfifo(begun)
    owner.assign("f", encode(path=str(path)), bundle=bundle(WAITS_FOR_FILE))
    started = time.monotonic()
    pod = await start_pod(listener.address, contact_s=2.0)
    await asyncio.to_thread(begun.read_bytes)
    await listener.stop()
    begun_at = time.monotonic()
    assert await pod.exit_code() == OUT_OF_CONTACT
    assert time.monotonic() - begun_at < 2.0 + 6.0
    assert time.monotonic() - started >= 2.0


async def test_a_refused_pod_says_why_although_its_first_words_cannot(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    owner.assign("f", bundle=bundle(FIVE))
    owner.refusal = grpc.StatusCode.UNAUTHENTICATED
    pod = await start_pod(listener.address)
    assert await pod.exit_code() == REFUSED
    assert b"UNAUTHENTICATED" in pod.stderr
    assert pod.stdout == b""


async def test_much_output_before_the_session_is_there_waits_and_is_not_dropped(
    owner: WorkerOwner, listener: Listener, start_pod: StartPod, bundle: Bundle
) -> None:
    source = "@env.task\ndef f() -> None:\n    for n in range(40):\n        print(n, 'x' * 500_000)\n"
    owner.assign("f", bundle=bundle(source), is_async=False)
    pod = await start_pod(listener.address)
    await owner.end(within_s=60)
    assert await pod.exit_code() == 0
    assert [line.split()[0] for line in owner.logged().splitlines()] == [str(number) for number in range(40)]
