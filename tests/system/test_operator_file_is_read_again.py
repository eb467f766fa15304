"""A changed operator's file reaches the scheduler that leads, and the one that leads after it, without a restart."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tests.support.deployment import Deployment, ServiceUnderTest
from tests.support.etcd import EtcdServer, require_etcd

from flyteapi.scheduler.v1.queue_service_pb2 import ListQueuesRequest
from flyteapi.scheduler.v1.queue_service_pb2_grpc import QueueServiceStub

WITHIN_S = 30


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[EtcdServer]:
    """A coordination store."""
    require_etcd()
    with EtcdServer(tmp_path / "etcd") as server:
        yield server


def queues_of(deployment: Deployment) -> list[str]:
    """The names of all queues, as clients are told."""
    with grpc.insecure_channel(deployment.endpoint) as channel:
        listed = QueueServiceStub(channel).ListQueues(ListQueuesRequest(), timeout=WITHIN_S)
    return [queue.name for queue in listed.queues]


def read_again(process: ServiceUnderTest, *, says: str) -> None:
    """Tells a process to read its file, and returns once its log says what came of it."""
    os.kill(process.pid, signal.SIGHUP)
    deadline = time.monotonic() + WITHIN_S
    while says not in process.log:
        assert time.monotonic() < deadline, process.log
        time.sleep(0.02)


def test_leader_and_standby_take_a_new_file_and_keep_the_old_one_if_it_is_wrong(
    tmp_path: Path, etcd: EtcdServer
) -> None:
    file = tmp_path / "platform-flyteplane.yaml"
    before = json.dumps({"queues": [{"name": "before"}]})
    with Deployment(tmp_path / "platform", etcd, schedulers=2, config=before) as deployment:
        leader = deployment.leader()
        assert queues_of(deployment) == ["before", "default"]
        file.write_text(json.dumps({"queues": [{"name": "after"}]}))
        for name in deployment.schedulers:
            read_again(deployment[name], says="operator_file_taken")
        assert queues_of(deployment) == ["after", "default"]
        file.write_text(json.dumps({"queues": [{"name": "WRONG"}]}))
        for name in deployment.schedulers:
            read_again(deployment[name], says="operator_file_refused")
        deployment[leader].kill()
        deployment.await_leader(other_than=leader)
        assert queues_of(deployment) == ["after", "default"]
