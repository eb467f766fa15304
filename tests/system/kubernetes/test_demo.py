"""The demonstration, a sweep over real data with scikit-learn, with every task in a pod."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from tests.support.kubernetes import KubernetesUnderTest
from tests.system.kubernetes.conftest import platform_in

from flyte.io import File
from flyte.remote import Run

pytestmark = pytest.mark.timeout(300)

CANDIDATES = 12


def test_the_sweep_finds_its_model_in_pods(cluster: KubernetesUnderTest, repository: Path, tmp_path: Path) -> None:
    with platform_in(tmp_path, cluster) as platform:
        command = ("run", "digits_sweep.py", "sweep", "--candidates", str(CANDIDATES), "--no-warm")
        done = platform.flyte(*command, cwd=repository / "examples", within_s=240)
        assert done.returncode == 0, done.stderr
        assert "best: C=" in done.stdout
        (run,) = list(Run.listall())
        model, report = run.outputs()
        assert isinstance(model, File)
        trained = pickle.loads(Path(model.download_sync(str(tmp_path / "model.pickle"))).read_bytes())
        assert type(trained).__name__ == "SVC"
        assert float(report.rpartition("gamma=")[2].split(",")[1].split()[0]) > 0.9
        tree = json.loads(platform.flyte("get", "action", run.name, "--json").stdout)
        trainings = [action for action in tree if action["group"] == "training"]
        assert len(trainings) == CANDIDATES
        assert {action["phase"] for action in tree} == {"SUCCEEDED"}
        shown = json.loads(platform.flyte("get", "action", run.name, trainings[0]["action"], "--json").stdout)
        assert [attempt["cluster"] for attempt in shown["attempts"]] == ["pods"]
        again = platform.flyte(*command, cwd=repository / "examples")
        assert again.stdout == done.stdout
        cluster.await_no_pods()
        platform.stop()
