"""The benchmark's own parts: what they say without a cluster, and that what they measure has happened."""

from __future__ import annotations

import pytest

from benchmarks import live_actions
from benchmarks.not_here import NotHere
from benchmarks.pod_cluster import IMAGE_VARIABLE, PodCluster


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
