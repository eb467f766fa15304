"""The benchmark's own parts: what they say without a cluster, and that what they measure has happened."""

from __future__ import annotations

import pytest

from benchmarks import live_actions, pools
from benchmarks.not_here import NotHere
from benchmarks.pod_cluster import IMAGE_VARIABLE, PodCluster
from benchmarks.pools import Span


@pytest.mark.parametrize("lacking", ["KUBECONFIG", IMAGE_VARIABLE])
def test_pods_are_left_out_where_there_is_no_cluster_or_image(monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/kubeconfig")
    monkeypatch.setenv(IMAGE_VARIABLE, "image")
    monkeypatch.delenv(lacking)
    with pytest.raises(NotHere, match=lacking):
        PodCluster()


def test_live_actions_all_come_back_and_their_cost_is_found() -> None:
    figures = live_actions.measure(live_actions.PLACED + 500)
    assert 0 < figures["recovery_s"] < 15
    assert figures["cycle_us"] > 0


def test_a_slot_is_found_free_only_while_something_waits() -> None:
    one = [Span(1, 0.0, 1.0), Span(1, 0.0, 2.0), Span(1, 1.25, 5.0), Span(1, 2.0, 3.0)]
    other = [Span(2, 0.5, 2.0), Span(2, 0.5, 3.0), Span(2, 2.5, 6.0)]
    assert pools.gaps([*one, *other], slots=2) == [0.25, 0.0, 0.5]


def test_a_replica_that_idles_to_the_end_of_the_backlog_is_found() -> None:
    assert pools.gaps([Span(1, 0.0, 1.0), Span(2, 0.0, 3.0), Span(2, 3.0, 4.0)], slots=1) == [2.0, 0.0]


def test_a_replica_with_several_tasks_idles_only_when_all_have_ended() -> None:
    one = [Span(1, 0.0, 2.0), Span(1, 1.0, 3.0), Span(1, 2.5, 4.0), Span(1, 4.25, 5.0)]
    other = [Span(2, 0.0, 6.0), Span(2, 5.5, 7.0)]
    assert pools.gaps([*one, *other], slots=1) == [0.25, 0.5]
