"""Several scheduler processes: one leads, another takes over, and no run notices more than a pause."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support import processes
from tests.support.certificates import Authority
from tests.support.command_line import flyte_here
from tests.support.deployment import CARRIED, SERVICES, Deployment, ServiceUnderTest
from tests.support.etcd import EtcdServer, free_ports, require_etcd
from tests.support.ledger import Ledger
from tests.support.run_log import RunLog, follow_until_done, whole_log
from tests.system.conftest import PROGRAMS
from tests.system.programs import cached_fan_outs, fan_outs, secret_delivery

import flyte
from flyte.client.init import set_settings
from flyte.remote import Run
from flyteapi.scheduler.v1.cluster_service_pb2 import ListClustersRequest
from flyteapi.scheduler.v1.cluster_service_pb2_grpc import ClusterServiceStub
from flyteapi.scheduler.v1.scheduler_service_pb2 import GetActionRequest
from flyteapi.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from flyteapi.secrets.v1.secrets_service_pb2 import ListSecretsRequest
from flyteapi.secrets.v1.secrets_service_pb2_grpc import SecretsServiceStub

#: A scheduler that was killed is replaced within this time, and one that was asked to stop within that, which is well
#: before its lease of ten seconds would have ended.
KILLED_S = 15.0
ASKED_S = 5.0
QUICK = "services: {lease_seconds: 5}"
SCHEDULER_SERVICE = "flyteapi.scheduler.v1.SchedulerService"


def sum_of_squares(count: int) -> int:
    return sum(number * number for number in range(count))


@contextmanager
def deployed(folder: Path, **options: Any) -> Iterator[Deployment]:
    """A platform with a coordination store of its own; in the end all of it is asked to stop, and does."""
    require_etcd()
    with EtcdServer(folder / "etcd") as etcd, Deployment(folder / "platform", etcd, **options) as deployment:
        yield deployment
        deployment.restore()
        deployment.stop()
        deployment.assert_nothing_runs()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A platform with two schedulers, which the tests kill and start again."""
    with deployed(tmp_path_factory.mktemp("pair"), schedulers=2) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One with three and shorter leases, for tests that wait for their end and do not measure it."""
    with deployed(tmp_path_factory.mktemp("trio"), schedulers=3, config=QUICK) as deployment:
        yield deployment


@pytest.fixture
def two(pair: Deployment) -> Iterator[Deployment]:
    """All of it runs, and this process is its client."""
    yield from whole(pair)


@pytest.fixture
def three(trio: Deployment) -> Iterator[Deployment]:
    """All of it runs, and this process is its client."""
    yield from whole(trio)


@pytest.fixture
def three_with_tls(tmp_path: Path) -> Iterator[Deployment]:
    """One over addresses with TLS: of clients, and of the processes among each other."""
    authority = Authority(tmp_path / "authority")
    with deployed(tmp_path, schedulers=3, config=QUICK, tls=authority) as deployment:
        connect(deployment, ca_cert_file_path=str(authority.ca_file))
        yield deployment
        set_settings(None)


def whole(deployment: Deployment) -> Iterator[Deployment]:
    """Start again what earlier tests have killed, and connect to it."""
    deployment.restore()
    connect(deployment)
    yield deployment
    set_settings(None)


def connect(deployment: Deployment, *, ca_cert_file_path: str | None = None) -> None:
    flyte.init(endpoint=deployment.endpoint, ca_cert_file_path=ca_cert_file_path, root_dir=PROGRAMS)


def assert_right(run: Run, count: int, ledger: Ledger, before: RunLog, *, most_starts: int = 2) -> None:
    """The result is right, what was done stayed done, and nothing ran more often than leaders changed."""
    assert run.outputs()[0] == sum_of_squares(count)
    after = whole_log(run)
    after.assert_continues(before)
    after.assert_each_action_ended_once()
    assert len(after.succeeded()) == count
    ledger.assert_ran_once(before.succeeded())
    assert set(ledger.starts()) == after.succeeded()
    assert max(ledger.starts().values()) <= most_starts


def serving(endpoint: str) -> bool:
    """Whether a process says that it serves the scheduler's calls."""
    with grpc.insecure_channel(endpoint) as channel:
        asked = health_pb2.HealthCheckRequest(service=SCHEDULER_SERVICE)
        status = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=5).status
    return bool(status == health_pb2.HealthCheckResponse.SERVING)


def await_health(endpoint: str, *, serving: bool, within_s: float = 30.0) -> None:
    """Return once a process says so; health is watched, not asked for again and again."""
    wanted = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
    with grpc.insecure_channel(endpoint) as channel:
        asked = health_pb2.HealthCheckRequest(service=SCHEDULER_SERVICE)
        for answer in health_pb2_grpc.HealthStub(channel).Watch(asked, timeout=within_s):
            if answer.status == wanted:
                return


def test_exactly_one_of_three_leads_and_the_others_refuse(three: Deployment, ledger: Ledger) -> None:
    leader = three.leader()
    assert [name for name in three.schedulers if serving(three[name].endpoint)] == [leader]
    for name in three.schedulers:
        with grpc.insecure_channel(three[name].endpoint) as channel, pytest.raises(grpc.RpcError) as refusal:
            SchedulerServiceStub(channel).GetAction(GetActionRequest(), timeout=5)
        code = refusal.value.code()
        assert code is (grpc.StatusCode.INVALID_ARGUMENT if name == leader else grpc.StatusCode.UNAVAILABLE)
    assert flyte.run(fan_outs.mixed, 4, ledger.path, 0.0).outputs()[0] == sum_of_squares(4)
    with grpc.insecure_channel(three.endpoint) as edge:
        assert ClusterServiceStub(edge).ListClusters(ListClustersRequest(), timeout=5).clusters
        SecretsServiceStub(edge).ListSecrets(ListSecretsRequest(), timeout=5)


def test_a_killed_leader_is_replaced_in_time_and_its_run_ends_right(two: Deployment, ledger: Ledger) -> None:
    run = flyte.run(fan_outs.mixed, 100, ledger.path, 0.02)
    before = follow_until_done(run, 30)
    took_s = two.takeover("kill")
    print(f"takeover after kill -9: {took_s:.2f} s")
    assert took_s <= KILLED_S
    assert_right(run, 100, ledger, before)


def test_a_leader_that_is_asked_to_stop_hands_over_at_once(two: Deployment, ledger: Ledger) -> None:
    run = flyte.run(fan_outs.mixed, 100, ledger.path, 0.02)
    before = follow_until_done(run, 30)
    leader = two.leader()
    took_s = two.takeover("terminate")
    print(f"takeover after SIGTERM: {took_s:.2f} s")
    assert took_s <= ASKED_S
    assert_right(run, 100, ledger, before)
    two[leader].await_end()


def test_three_leaders_in_turn_end_one_run(three_with_tls: Deployment, ledger: Ledger) -> None:
    three = three_with_tls
    run = flyte.run(fan_outs.mixed, 80, ledger.path, 0.05)
    before = follow_until_done(run, 10)
    for act in ("kill", "terminate"):
        assert three.takeover(act) <= KILLED_S
    assert_right(run, 80, ledger, before, most_starts=3)


def test_a_paused_leader_changes_nothing_when_it_wakes(three: Deployment, ledger: Ledger) -> None:
    run = flyte.run(fan_outs.mixed, 100, ledger.path, 0.02)
    before = follow_until_done(run, 20)
    old = three.leader()
    took_s = three.takeover("freeze")
    print(f"takeover after SIGSTOP: {took_s:.2f} s")
    during = follow_until_done(run, 40)
    three[old].thaw()
    assert_right(run, 100, ledger, before)
    whole_log(run).assert_continues(during)
    new, epoch = three.await_leader()
    assert new != old
    # The old one stands by now, and is of use again.
    for name in set(three.schedulers) - {old}:
        three[name].kill()
    assert three.await_leader(other_than=new)[0] == old
    assert three.await_leader()[1] > epoch
    assert flyte.run(fan_outs.mixed, 4, ledger.path, 0.0).outputs()[0] == sum_of_squares(4)


def test_work_goes_on_while_etcd_is_killed_and_comes_back(two: Deployment, ledger: Ledger) -> None:
    leader = two.await_leader()
    run = flyte.run(fan_outs.mixed, 120, ledger.path, 0.05)
    before = follow_until_done(run, 20)
    two.etcd.kill()
    during = follow_until_done(run, 40)
    two.etcd.start()
    assert_right(run, 120, ledger, before, most_starts=1)
    assert len(during.succeeded()) >= 40
    assert two.await_leader() == leader


def test_a_leader_that_cannot_know_steps_down_and_leads_again(three: Deployment, ledger: Ledger) -> None:
    leader = three.leader()
    run = flyte.run(fan_outs.mixed, 40, ledger.path, 0.05)
    before = follow_until_done(run, 10)
    three.etcd.kill()
    await_health(three[leader].endpoint, serving=False)
    three.etcd.start()
    assert_right(run, 40, ledger, before)
    three.leader()


def test_a_submit_without_a_leader_waits_for_one(three: Deployment, ledger: Ledger) -> None:
    leader = three.leader()
    three[leader].kill()
    began = time.monotonic()
    run = flyte.run(fan_outs.mixed, 4, ledger.path, 0.0)
    assert run.outputs()[0] == sum_of_squares(4)
    print(f"a submit right after the kill: {time.monotonic() - began:.2f} s to its result")
    assert three.leader() != leader


def test_the_process_of_the_other_services_may_be_killed_too(three: Deployment, ledger: Ledger) -> None:
    run = flyte.run(fan_outs.mixed, 100, ledger.path, 0.02)
    before = follow_until_done(run, 20)
    leader = three.await_leader()
    three[SERVICES].kill()
    three[SERVICES].start()
    assert_right(run, 100, ledger, before)
    assert three.await_leader() == leader


def test_each_key_is_computed_by_one_at_a_time_although_the_leader_is_killed(three: Deployment, ledger: Ledger) -> None:
    count, times = 24, 3
    run = flyte.run(cached_fan_outs.serialized, 1, count, times, ledger.path, 0.3)
    follow_until_done(run, 15)
    three.takeover("kill")
    run.wait()
    assert run.outputs()[0] == times * sum(range(1, count + 1))
    computed = Counter(int(entry["number"]) for entry in ledger.entries())
    assert set(computed) == set(range(1, count + 1))
    # What was under way when its scheduler died may have begun once more.
    assert max(computed.values()) <= 2


def test_attempts_wait_for_secrets_that_are_away_and_spend_no_retry(three: Deployment) -> None:
    value, children = "a value that outlives its service", 30
    made = flyte_here("--endpoint", three.endpoint, "create", "secret", "DELIVERED", env={}, stdin=value)
    assert made.returncode == 0, made.stderr
    run = flyte.run(secret_delivery.many, children)
    for _ in range(2):
        three[SERVICES].kill()
        three[SERVICES].start()
    run.wait()
    assert run.outputs()[0] == [secret_delivery.digest(value)] * children


def test_fixed_addresses_need_no_coordination_store(tmp_path: Path, ledger: Ledger) -> None:
    edge, scheduler = (f"127.0.0.1:{port}" for port in free_ports(2))
    addresses = {**dict.fromkeys(("admin", "cache", "secrets", "reuse_pool"), edge), "scheduler": scheduler}
    file = tmp_path / "flyteplane.yaml"
    file.write_text(json.dumps({"services": {"addresses": addresses}}))
    data, options = tmp_path / "platform", ["--config", str(file), "--listen"]
    others = ServiceUnderTest(data, SERVICES, services=CARRIED, options=[*options, edge])
    alone = ServiceUnderTest(data, "s1", services="scheduler", options=[*options, scheduler])
    second = ServiceUnderTest(data, "s2", services="scheduler", options=[*options, scheduler])
    try:
        others.start()
        alone.start()
        flyte.init(endpoint=others.endpoint, root_dir=PROGRAMS)
        assert flyte.run(fan_outs.mixed, 8, ledger.path, 0.0).outputs()[0] == sum_of_squares(8)
        with pytest.raises(AssertionError, match="another process carries scheduler"):
            second.start()
        others.stop()
        alone.stop()
        processes.assert_nothing_runs(data)
    finally:
        set_settings(None)
        processes.kill_all(data)


def test_a_leader_that_is_paused_anywhere_is_replaced_over_postgresql(
    tmp_path: Path, ledger: Ledger, postgres_url: str
) -> None:
    config = json.dumps({"services": {"database": postgres_url, "lease_seconds": 5}})
    with deployed(tmp_path, schedulers=2, config=config) as deployment:
        connect(deployment)
        try:
            run = flyte.run(fan_outs.mixed, 80, ledger.path, 0.02)
            before = follow_until_done(run, 20)
            old = deployment.leader()
            deployment.takeover("freeze_anywhere")
            follow_until_done(run, 40)
            deployment[old].thaw()
            assert_right(run, 80, ledger, before)
            assert not list(deployment.data.glob("*.db"))
        finally:
            set_settings(None)
