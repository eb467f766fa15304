"""Several processes of the reuse pool and of the scheduler: replicas work on, whoever of them goes, if they can."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.deployment import Deployment
from tests.support.etcd import EtcdServer, require_etcd
from tests.support.ledger import Ledger
from tests.support.run_log import follow_until_done, whole_log
from tests.system.conftest import PROGRAMS
from tests.system.programs import fan_outs

import flyte
from flyte.client.init import set_settings
from flyte.remote import Run
from flyteplane.leadership import shards

KILLED_S = 15.0
ASKED_S = 4.0
QUICK = "services: {lease_seconds: 5}"
COUNT = 64


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Two schedulers and two reuse pools, each in a process of its own, which the tests kill and start again."""
    require_etcd()
    folder = tmp_path_factory.mktemp("several-pools")
    with (
        EtcdServer(folder / "etcd") as etcd,
        Deployment(folder / "platform", etcd, schedulers=2, pools=2, config=QUICK) as deployment,
    ):
        yield deployment
        deployment.restore()
        deployment.stop()
        deployment.assert_nothing_runs()


@pytest.fixture
def platform(deployment: Deployment) -> Iterator[Deployment]:
    """All of it runs, and this process is its client."""
    deployment.restore()
    flyte.init(endpoint=deployment.endpoint, root_dir=PROGRAMS)
    yield deployment
    set_settings(None)


def assert_right(run: Run, ledger: Ledger, *, most_starts: int) -> None:
    """The sum is right, each action ended once, and none began more often than parts were lost."""
    assert run.outputs()[0] == sum(number * number for number in range(COUNT))
    log = whole_log(run)
    log.assert_each_action_ended_once()
    assert len(log.succeeded()) == COUNT
    assert max(ledger.starts().values()) <= most_starts


def test_replicas_work_on_while_the_scheduler_is_killed_and_run_nothing_twice(
    platform: Deployment, ledger: Ledger
) -> None:
    run = flyte.run(fan_outs.warm_fan_out, COUNT, ledger.path, 0.5)
    follow_until_done(run, 16)
    took_s = platform.takeover("kill")
    print(f"takeover of the scheduler: {took_s:.2f} s")
    assert took_s <= KILLED_S
    assert_right(run, ledger, most_starts=1)


def test_a_killed_reuse_pool_is_replaced_and_what_it_ran_is_run_again(platform: Deployment, ledger: Ledger) -> None:
    run = flyte.run(fan_outs.warm_fan_out, COUNT, ledger.path, 0.2)
    before = follow_until_done(run, 16)
    took_s = platform.takeover("kill", shards.REUSE_POOL)
    print(f"takeover of the reuse pool: {took_s:.2f} s")
    assert took_s <= KILLED_S
    assert_right(run, ledger, most_starts=2)
    ledger.assert_ran_once(before.succeeded())


def test_a_reuse_pool_that_is_asked_to_stop_hands_over_at_once(platform: Deployment, ledger: Ledger) -> None:
    run = flyte.run(fan_outs.warm_fan_out, COUNT, ledger.path, 0.2)
    follow_until_done(run, 16)
    took_s = platform.takeover("terminate", shards.REUSE_POOL)
    print(f"takeover of the reuse pool that was asked to stop: {took_s:.2f} s")
    assert took_s <= ASKED_S
    assert_right(run, ledger, most_starts=2)


def test_a_paused_reuse_pool_changes_nothing_when_it_wakes(platform: Deployment, ledger: Ledger) -> None:
    run = flyte.run(fan_outs.warm_fan_out, COUNT, ledger.path, 0.5)
    before = follow_until_done(run, 16)
    old = platform.leader(shards.REUSE_POOL)
    platform.takeover("freeze", shards.REUSE_POOL)
    during = follow_until_done(run, 32)
    platform[old].thaw()
    assert_right(run, ledger, most_starts=2)
    whole_log(run).assert_continues(before)
    whole_log(run).assert_continues(during)
    new, epoch = platform.await_leader(shards.REUSE_POOL)
    assert new != old
    # The old one stands by now, and is of use again.
    platform[new].kill()
    again, later = platform.await_leader(shards.REUSE_POOL, other_than=new)
    assert again == old
    assert later > epoch


def test_scheduler_and_reuse_pool_may_be_killed_together(platform: Deployment, ledger: Ledger) -> None:
    run = flyte.run(fan_outs.warm_fan_out, COUNT, ledger.path, 0.2)
    follow_until_done(run, 16)
    platform[platform.leader(shards.REUSE_POOL)].kill()
    platform.takeover("kill")
    assert_right(run, ledger, most_starts=2)
