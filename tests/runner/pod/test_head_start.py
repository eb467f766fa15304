"""A worker has its first orders and its code before its agent is there; what is unusual is left to the agent."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.runner.pod.conftest import HEAD, pack
from tests.support.worker_owner import LEASE, StoredData, orders_of

from flyte.runner.contact import Contact
from flyte.runner.forking import read_startup
from flyte.runner.pod.child import Child
from flyte.runner.pod.endpoints import Endpoints
from flyte.runner.pod.first_words import FirstOrders, FirstWords
from flyte.runner.pod.head_start import HeadStart, head_start, leave_alone
from flyte.runner.pod.settings import PodSettings
from flyte.runner.pod.workplace import Workplace
from flyteapi.task.v1.task_spec_pb2 import ImageSpec

SETTINGS = PodSettings(endpoints=("127.0.0.1:1",), token="the-token", name="pod-1", contact_s=20.0)


class Answered(FirstWords):
    """First words that were answered so."""

    def __init__(self, answer: FirstOrders | None) -> None:
        endpoints = Endpoints(SETTINGS.endpoints, rng=random.Random(1))
        super().__init__(endpoints, token=SETTINGS.token, contact=Contact(SETTINGS.contact_s))
        self._given = answer

    def answer(self) -> FirstOrders | None:
        """See `FirstWords`."""
        return self._given


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    """A folder and a socket."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    workplace = Workplace()
    yield workplace
    workplace.listener.close()


def first_orders(data: StoredData, **given: Any) -> FirstOrders:
    """An answer with the code."""
    digest = pack(data, {"user_code.py": HEAD})
    return FirstOrders(1.0, orders_of("f", b"inputs", bundle=digest, **given), data.bundles[digest])


def started(answer: FirstOrders | None, workplace: Workplace) -> tuple[HeadStart, Any]:
    """What came of it, and the frame that the worker has; None if it has none."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        start = head_start(Answered(answer), ours, settings=SETTINGS, workplace=workplace)
        ours.shutdown(socket.SHUT_WR)
        return start, read_startup(theirs)


def test_the_worker_has_its_orders_and_its_code(data: StoredData, workplace: Workplace) -> None:
    answer = first_orders(data)
    start, startup = started(answer, workplace)
    assert start.given
    assert start.first is answer
    _run, task, assign = startup.orders
    assert (assign.WhichOneof("order"), assign.lease, assign.assign.inputs.inline) == ("assign", LEASE, b"inputs")
    assert task.declare_task.spec.entrypoint.attribute == "f"
    assert (Path(task.declare_task.bundle_path) / "user_code.py").read_text() == HEAD
    assert startup.data_socket == workplace.data_path


def test_a_task_of_the_image_needs_no_code(workplace: Workplace) -> None:
    start, startup = started(FirstOrders(1.0, orders_of("f"), b""), workplace)
    assert start.given
    assert [order.WhichOneof("order") for order in startup.orders] == ["declare_run", "declare_task", "assign"]


@pytest.mark.parametrize("bundle", [b"", b"damaged"])
def test_code_that_did_not_come_whole_is_left_to_the_agent(
    data: StoredData, workplace: Workplace, bundle: bytes
) -> None:
    answer = FirstOrders(1.0, first_orders(data).orders, bundle)
    start, startup = started(answer, workplace)
    assert (start.first, start.given, startup) == (answer, False, None)


def test_packages_of_the_image_are_looked_at_by_the_agent(data: StoredData, workplace: Workplace) -> None:
    answer = first_orders(data, spec={"image": ImageSpec(python_packages=["numpy"])})
    start, startup = started(answer, workplace)
    assert (start.given, startup) == (False, None)


def test_orders_that_are_long_are_left_to_the_agent(data: StoredData, workplace: Workplace) -> None:
    answer = FirstOrders(1.0, orders_of("f", bytes(2 << 20)), b"")
    start, startup = started(answer, workplace)
    assert (start.first, start.given, startup) == (answer, False, None)


def test_without_an_answer_the_worker_waits(workplace: Workplace) -> None:
    start, startup = started(None, workplace)
    assert (start.first, start.given, startup) == (None, False, None)


def test_a_worker_that_is_gone_is_no_trouble(data: StoredData, workplace: Workplace) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        start = head_start(Answered(first_orders(data)), ours, settings=SETTINGS, workplace=workplace)
    assert start.given


@pytest.mark.parametrize("sign", ["says", "writes", "asks", "ends"])
def test_a_worker_is_left_alone_until_there_is_a_sign_of_it(workplace: Workplace, sign: str) -> None:
    ours, theirs = socket.socketpair()
    read, write = os.pipe()
    with ours, theirs, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        signs = {
            "says": lambda: theirs.sendall(b"frame"),
            "writes": lambda: os.write(write, b"output"),
            "asks": lambda: asking.connect(workplace.data_path),
            "ends": theirs.close,
        }
        child = Child(0, ours, read)
        began = time.monotonic()
        leave_alone(child, workplace, at_most_s=0.05)
        assert time.monotonic() - began >= 0.05
        signs[sign]()
        leave_alone(child, workplace, at_most_s=600.0)
        assert time.monotonic() - began < 300.0
    os.close(read)
    os.close(write)


def test_who_asks_for_data_before_the_agent_is_there_is_heard_later(workplace: Workplace) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as early:
        early.connect(workplace.data_path)
        early.sendall(b"question")
        connection, _ = workplace.listener.accept()
        with connection:
            assert connection.recv(100) == b"question"
