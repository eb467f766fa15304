"""A cache in a process of its own, which is killed while runs use it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import processes
from tests.support.deployment import SERVICES, ServiceUnderTest
from tests.support.etcd import EtcdServer, require_etcd
from tests.support.ledger import Ledger
from tests.support.run_log import follow_until_done
from tests.system.conftest import PROGRAMS
from tests.system.programs import cached_fan_outs as programs

import flyte
from flyte.client.init import set_settings
from flyte.remote import Action, Run
from flyteapi.common.v1.phase_pb2 import CACHE_STATUS_FAILED, CACHE_STATUS_HIT, CACHE_STATUS_STORED

COUNT = 30


class Apart:
    """A platform whose cache is a process of its own."""

    def __init__(self, data: Path, etcd: EtcdServer) -> None:
        self.data = data
        self.edge, self.cache, self.scheduler = (
            ServiceUnderTest(data, name, services=services, etcd=etcd.endpoint)
            for name, services in ((SERVICES, "admin,secrets,reuse_pool"), ("cache", "cache"), ("s1", "scheduler"))
        )

    def start(self) -> None:
        """Starts what does not run of the three."""
        gone = [process for process in (self.cache, self.edge, self.scheduler) if not process.running]
        for process in gone:
            process.launch()
        for process in gone:
            process.await_ready()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """One for all tests here, each of which computes numbers of its own."""
    require_etcd()
    folder = tmp_path_factory.mktemp("cache-apart")
    with EtcdServer(folder / "etcd") as etcd:
        apart = Apart(folder / "platform", etcd)
        try:
            yield apart
        finally:
            processes.kill_all(apart.data)


@pytest.fixture
def apart(platform: Apart) -> Iterator[Apart]:
    """All of it runs, and this process is its client."""
    platform.start()
    flyte.init(endpoint=platform.edge.endpoint, root_dir=PROGRAMS)
    yield platform
    set_settings(None)


def computed(ledger: Ledger) -> Counter[int]:
    return Counter(int(entry["number"]) for entry in ledger.entries())


def statuses(run: Run) -> Counter[int]:
    return Counter(action.state.cache_status for action in Action.listall(run.name) if action.name != "a0")


def test_each_key_is_computed_once_although_the_cache_is_killed(apart: Apart, ledger: Ledger) -> None:
    run = flyte.run(programs.serialized, 1, COUNT, 4, ledger.path, 0.2)
    for done in (8, 40):
        follow_until_done(run, done)
        apart.cache.kill()
        time.sleep(1.0)
        apart.cache.start()
    run.wait()
    assert run.outputs()[0] == 4 * sum(range(1, COUNT + 1))
    assert computed(ledger) == dict.fromkeys(range(1, COUNT + 1), 1)


def test_a_cache_that_is_down_fails_no_run_and_is_used_again_later(apart: Apart, ledger: Ledger) -> None:
    apart.cache.kill()
    without = flyte.run(programs.cached, 1, COUNT, ledger.path, 0.0)
    without.wait()
    assert without.outputs()[0] == sum(range(1, COUNT + 1))
    assert statuses(without) == {CACHE_STATUS_FAILED: COUNT}
    apart.cache.start()
    for expected in (CACHE_STATUS_STORED, CACHE_STATUS_HIT):
        run = flyte.run(programs.cached, 1, COUNT, ledger.path, 0.0)
        run.wait()
        assert statuses(run) == {expected: COUNT}
    assert set(computed(ledger).values()) == {2}


def test_a_serialized_call_waits_for_a_cache_that_is_down(apart: Apart, ledger: Ledger) -> None:
    apart.cache.kill()
    run = flyte.run(programs.serialized, 101, 2, 2, ledger.path, 0.0)
    time.sleep(3.0)
    assert not computed(ledger)
    apart.cache.start()
    run.wait()
    assert run.outputs()[0] == 406
    assert computed(ledger) == {101: 1, 102: 1}
