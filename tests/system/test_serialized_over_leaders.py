"""`serialize` while the scheduler that leads is killed: reservations outlive it, and nobody waits for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.deployment import Deployment
from tests.support.etcd import EtcdServer, require_etcd
from tests.support.ledger import Ledger
from tests.support.run_log import follow_until_done
from tests.system.conftest import PROGRAMS
from tests.system.programs import cached_fan_outs as programs

import flyte
from flyte.client.init import set_settings

COUNT = 24


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Deployment]:
    """A platform with two schedulers and short leases, and this process as its client."""
    require_etcd()
    config = "services: {lease_seconds: 5}"
    with (
        EtcdServer(tmp_path / "etcd") as etcd,
        Deployment(tmp_path / "platform", etcd, schedulers=2, config=config) as deployment,
    ):
        flyte.init(endpoint=deployment.endpoint, root_dir=PROGRAMS)
        yield deployment
        set_settings(None)


def test_each_key_is_computed_by_one_at_a_time_although_the_leader_is_killed(two: Deployment, ledger: Ledger) -> None:
    run = flyte.run(programs.serialized, 1, COUNT, 3, ledger.path, 0.3)
    follow_until_done(run, 15)
    two.takeover("kill")
    run.wait()
    assert run.outputs()[0] == 3 * sum(range(1, COUNT + 1))
    computed = Counter(int(entry["number"]) for entry in ledger.entries())
    assert set(computed) == set(range(1, COUNT + 1))
    # What was under way when its scheduler died may have begun once more.
    assert max(computed.values()) <= 2
    two.stop()
    two.assert_nothing_runs()
