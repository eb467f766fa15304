"""A pod that hears nothing of its scheduler ends its task before anybody else may begin it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.board import Board
from tests.support.cuttable_network import CuttableNetwork
from tests.support.etcd import free_ports
from tests.support.kubernetes import KubernetesUnderTest
from tests.system.kubernetes.conftest import platform_in
from tests.system.kubernetes.programs import endings

import flyte
from flyte.remote import ActionDetails, Run

pytestmark = pytest.mark.timeout(180)

CONTACT_S = 6.0


def assert_never_both(run: Run, board: Board, *, code: str) -> None:
    """The second attempt's first sign of life came after the first attempt's last one."""
    assert run.outputs()[0] == 2
    ended, succeeded = ActionDetails.get(run_name=run.name).attempt_states
    assert (ended.error.code, succeeded.error.code) == (code, "")
    last = max(entry.at for entry in board.entries() if entry.attempt == 1)
    first = min(entry.at for entry in board.entries() if entry.attempt == 2)
    assert last < first
    print(f"{first - last:.1f} s between the last sign of one attempt and the first of the next")


def test_a_pod_that_is_cut_off_stops_before_its_attempt_is_given_to_another(
    cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    (listener,) = free_ports(1)
    with CuttableNetwork(to=("127.0.0.1", listener)) as network:
        endpoints = [f"{cluster.host}:{network.port}"]
        with platform_in(
            tmp_path, cluster, worker_port=listener, worker_endpoints=endpoints, contact_s=CONTACT_S
        ) as platform:
            run = flyte.run(endings.pings_once, board.address)
            (cut_off, *_) = board.await_entries(10)
            network.cut(cut_off.peer)
            ended = board.await_end_of(cut_off.peer, within_s=3 * CONTACT_S)
            assert_never_both(run, board, code="CONTACT_LOST")
            (second,) = [entry for entry in board.entries() if entry.attempt == 2]
            assert ended < second.at
            cluster.await_no_pods()
            platform.stop()


def test_a_pod_whose_scheduler_is_paused_stops_and_is_placed_again_when_it_wakes(
    cluster: KubernetesUnderTest, board: Board, tmp_path: Path
) -> None:
    with platform_in(tmp_path, cluster, contact_s=CONTACT_S) as platform:
        run = flyte.run(endings.pings_once, board.address)
        (waiting, *_) = board.await_entries(10)
        platform.freeze()
        board.await_end_of(waiting.peer, within_s=3 * CONTACT_S)
        platform.thaw()
        assert_never_both(run, board, code="CONTACT_LOST")
        cluster.await_no_pods()
        platform.stop()
