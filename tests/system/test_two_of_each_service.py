"""Two processes of each service on PostgreSQL, etcd and S3, without a folder that they share, as in a cluster."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.etcd import EtcdServer, require_etcd
from tests.support.ledger import Ledger
from tests.support.postgres import PostgresServer
from tests.support.replicas import CARRIED, Replicas, operator_file
from tests.support.run_log import follow_until_done, whole_log
from tests.support.s3 import S3Server
from tests.system.conftest import PROGRAMS
from tests.system.programs import fan_outs

import flyte
from flyte.client.init import set_settings
from flyte.remote import Run

#: Submits are answered again within this time after any process has died.
ANSWERED_WITHIN_S = 15.0


def sum_of_squares(count: int) -> int:
    return sum(number * number for number in range(count))


@pytest.fixture(scope="module")
def config(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, s3_server: S3Server
) -> Iterator[Path]:
    """An operator's file over stores of this module's own."""
    folder, database = tmp_path_factory.mktemp("two-of-each"), postgres_server.create_database()
    (folder / "keys").mkdir(mode=0o700)
    yield operator_file(
        folder / "flyteplane.yaml",
        database=postgres_server.url(database),
        keys=folder / "keys",
        objects=s3_server.operator_section("two-of-each"),
    )
    postgres_server.drop_database(database)


@pytest.fixture(scope="module")
def replicas(config: Path) -> Iterator[Replicas]:
    """The platform. Its processes start before the job that makes their schemas, and wait for it."""
    require_etcd()
    with EtcdServer(config.parent / "etcd") as etcd:
        made = Replicas(config.parent, etcd, config=config)
        made["edge1"].launch()
        migrate = [sys.executable, "-m", "flyteplane.launcher", "migrate", "--config", str(config)]
        jobs = [subprocess.Popen(migrate, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        said = [job.communicate(timeout=60)[0] for job in jobs]
        assert [job.returncode for job in jobs] == [0, 0], said
        made["edge1"].await_ready()
        made["edge1"].stop()
        with made:
            yield made


@pytest.fixture(autouse=True)
def client(replicas: Replicas) -> Iterator[None]:
    """This process as a client of the platform, at a process that does not lead admin."""
    connect(replicas, follower(replicas))
    yield
    set_settings(None)


def connect(replicas: Replicas, name: str) -> None:
    flyte.init(endpoint=replicas[name].endpoint, root_dir=PROGRAMS)


def follower(replicas: Replicas) -> str:
    """The edge that stands by."""
    return {"edge1": "edge2", "edge2": "edge1"}[replicas.leader("admin")]


def test_both_edges_serve_clients_and_all_are_ready(replicas: Replicas, ledger: Ledger) -> None:
    for edge in ("edge1", "edge2"):
        connect(replicas, edge)
        assert flyte.run(fan_outs.mixed, 2, ledger.path, 0.0).outputs()[0] == sum_of_squares(2)
    for name in CARRIED:
        assert replicas.health(name, "/live") == (200, "ok\n")
        assert replicas.health(name, "/ready") == (200, "ok\n")


def test_no_run_is_lost_when_the_leader_of_admin_is_killed_while_runs_are_submitted(
    replicas: Replicas, ledger: Ledger
) -> None:
    leader, runs, took_s = replicas.leader("admin"), list[Run](), list[float]()
    killing = threading.Timer(1.0, replicas[leader].kill)
    killing.start()
    while killing.is_alive() or len(runs) < 12:
        began = time.monotonic()
        runs.append(flyte.run(fan_outs.fan_out, "warm", 1, ledger.path, 0.0))
        took_s.append(time.monotonic() - began)
    assert max(took_s) <= ANSWERED_WITHIN_S
    for run in runs:
        run.wait()
        assert run.outputs()[0] == 0
    assert len({run.name for run in runs}) == len(runs)
    assert replicas.leader("admin") != leader
    replicas[leader].start()


def test_a_rolling_restart_of_everything_is_no_more_than_a_pause(replicas: Replicas, ledger: Ledger) -> None:
    run = flyte.run(fan_outs.mixed, 60, ledger.path, 0.1)
    before = follow_until_done(run, 5)
    for name in CARRIED:
        replicas.restart(name)
    assert run.outputs()[0] == sum_of_squares(60)
    after = whole_log(run)
    after.assert_continues(before)
    after.assert_each_action_ended_once()
    ledger.assert_ran_once(before.succeeded())


def test_an_edge_that_is_told_to_stop_is_not_ready_at_once_and_serves_until_others_have_heard(
    replicas: Replicas, ledger: Ledger
) -> None:
    edge = follower(replicas)
    connect(replicas, edge)
    replicas[edge].terminate()
    while (found := replicas.health(edge, "/ready")) == (200, "ok\n"):
        pass  # The signal is on its way; each question waits for the loop of the process.
    assert found == (503, "it was told to stop\n")
    assert replicas.health(edge, "/live") == (200, "ok\n")
    run = flyte.run(fan_outs.fan_out, "warm", 0, ledger.path, 0.0)
    replicas[edge].await_end()
    replicas[edge].start()
    assert run.outputs()[0] == 0
