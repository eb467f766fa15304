"""Pods that are given authorities speak to no listener that these have not vouched for, from the first word on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from tests.runner.owner import decode, encode
from tests.runner.pod.conftest import StartPod
from tests.support.certificates import Authority
from tests.support.worker_owner import LEASE, Listener, StoredData, WorkerOwner

from flyte.runner.contact import Contact
from flyte.runner.pod.endpoints import Endpoints
from flyte.runner.pod.first_words import FirstOrders, FirstWords
from flyte.runner.pod.outbox import Outbox
from flyte.runner.pod.session import Session
from flyte.spec.tls_names import WORKERS_NAME
from flyteapi.scheduler.v1.worker_service_pb2 import Hello
from flyteplane.foundation.clock import SystemClock
from flyteplane.rpc.certificates import CertificateFiles, Certificates
from flyteplane.rpc.transport import server_credentials

Bundle = Callable[[str], str]

TWICE = "@env.task\nasync def f(text: str) -> str:\n    print('ran')\n    return text + text\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def listening(authority: Authority, owner: WorkerOwner, data: StoredData, *, name: str) -> Listener:
    """A scheduler's listener with a certificate that bears a name, and no address at all."""
    made = authority.issue(name, dns=(name,), addresses=())
    certificates = Certificates(CertificateFiles(cert_file=made.cert_file, key_file=made.key_file), clock=SystemClock())
    credentials = server_credentials(certificates, clients_prove_themselves=False)
    return await Listener(owner, data, credentials=credentials).start()


@pytest_asyncio.fixture
async def secured(authority: Authority, owner: WorkerOwner, data: StoredData) -> AsyncIterator[Listener]:
    listener = await listening(authority, owner, data, name=WORKERS_NAME)
    yield listener
    await listener.stop()


async def ask(address: str, authorities: str) -> FirstOrders | None:
    """First words as an agent says them."""
    endpoints = Endpoints([address], rng=random.Random(1), authorities=authorities)
    words = FirstWords(endpoints, token="the-token", contact=Contact(20.0), patience_s=20.0)
    return await asyncio.to_thread(words.begin().answer)


async def test_the_first_words_go_through_tls(
    owner: WorkerOwner, secured: Listener, data: StoredData, bundle: Bundle, authority: Authority
) -> None:
    digest = bundle(TWICE)
    owner.assign("f", encode(text="x"), bundle=digest)
    first = await ask(secured.address, authority.ca_file.read_text())
    assert first is not None
    assert first.orders[-1].HasField("assign")
    assert first.bundle == data.bundles[digest]


async def test_a_task_runs_with_all_it_says_going_through_tls(
    owner: WorkerOwner, secured: Listener, start_pod: StartPod, bundle: Bundle, data: StoredData, authority: Authority
) -> None:
    owner.assign("f", encode(text="x" * 200_000), bundle=bundle(TWICE))
    pod = await start_pod(secured.address, env={"FLYTE_WORKER_CA": authority.ca_file.read_text()})
    outputs = (await owner.end()).outputs
    assert decode(data.objects[outputs.reference.uri]) == ["x" * 400_000]
    assert await pod.exit_code() == 0
    assert [list(hello.running) for hello in owner.hellos] == [[], [LEASE]]
    assert pod.stdout == b"ran\n"


async def test_no_token_is_said_to_whom_the_authorities_do_not_vouch_for(
    owner: WorkerOwner,
    secured: Listener,
    listener: Listener,
    data: StoredData,
    bundle: Bundle,
    authority: Authority,
    tmp_path: Path,
) -> None:
    owner.assign("f", encode(text="x"), bundle=bundle(TWICE))
    other = Authority(tmp_path / "other")
    named_differently = await listening(authority, owner, data, name="flyteplane-internal")
    right = authority.ca_file.read_text()
    for address, authorities in (
        (secured.address, other.ca_file.read_text()),
        (secured.address, "no PEM at all"),
        (secured.address, ""),
        (listener.address, right),
        (named_differently.address, right),
    ):
        assert await ask(address, authorities) is None
    await named_differently.stop()
    assert owner.hellos == []


async def test_an_agent_that_trusts_nobody_it_finds_says_why(secured: Listener, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other").ca_file.read_text()
    rng = random.Random(1)
    said: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    session = Session(
        Endpoints([secured.address], rng=rng, authorities=other),
        outbox=Outbox(),
        contact=Contact(2.0),
        rng=rng,
        hello=lambda: Hello(token="the-token"),
        resident_bytes=lambda: 0,
        received=lambda orders: None,
        lapsed=lambda: pytest.fail("it never had contact"),
        changed=lambda: None,
        trouble=said.set_result,
    )
    speaking = asyncio.create_task(session.run())
    async with asyncio.timeout(30):
        words = await said
    speaking.cancel()
    assert secured.address in words
    assert "CERTIFICATE_VERIFY_FAILED" in words
