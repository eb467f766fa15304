"""The platform inside of a real Kubernetes, from its own images and manifests, with PostgreSQL, etcd and S3 beside it.

One installation serves all tests of this module, in the order in which they stand. Clients are outside of the cluster.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.board import Board
from tests.support.canary import Canary, etcd_history, etcd_revision, sightings
from tests.support.installation import NAMESPACE, SERVICES, WORKERS, Installation, installed, names
from tests.support.kubernetes import KubernetesUnderTest
from tests.support.run_log import follow_until_done, whole_log
from tests.system.kubernetes.conftest import PROGRAMS
from tests.system.kubernetes.programs import squares

import flyte

pytestmark = pytest.mark.timeout(420)

FAN_OUT: Final = 60
SMALL_FAN_OUT: Final = 24
CHILD_S: Final = 2.0
ETCD_VARIABLE: Final = "FLYTEPLANE_TEST_KUBERNETES_ETCD"
CANARIES: Final = Path(__file__).parent.parent / "canaries"
# As on a worker, where their folder is the root of the bundle.
sys.path.insert(0, str(CANARIES))
import canary  # type: ignore[import-not-found]  # noqa: E402


@pytest.fixture(scope="module")
def since() -> int:
    """The revision of the API server's own store before anything was installed; 0 where that cannot be looked into."""
    etcd = os.environ.get(ETCD_VARIABLE, "")
    return etcd_revision(etcd) if etcd else 0


@pytest.fixture(scope="module")
def installation(since: int, tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Installation]:
    """The installation, with this process as its client."""
    with installed(tmp_path_factory.mktemp("installation"), repository) as installation:
        installation.connect(PROGRAMS)
        yield installation


def fan_out(board: Board, count: int) -> Any:
    """A run with so many pods that tell the board that they ran."""
    return flyte.run(squares.sum_of_squares, count, board.address, CHILD_S, "default")


def assert_nothing_lost(run: Any, board: Board, count: int) -> None:
    """The result is right, and each child began once, in one pod, and ended once."""
    assert run.outputs()[0] == sum(number * number for number in range(count))
    log = whole_log(run)
    log.assert_each_action_ended_once()
    assert len(log.succeeded()) == count
    board.assert_ran_once(log.succeeded())


def test_a_stranger_is_refused_and_told_why(installation: Installation) -> None:
    for key, words in (("", "FLYTE_API_KEY"), ("not-a-key-of-anybody-" + "x" * 32, "key")):
        refused = installation.flyte("get", "run", api_key=key)
        assert refused.returncode != 0
        assert words in refused.stdout + refused.stderr, refused.stderr


def test_the_digits_run_from_outside_with_a_key_over_tls(installation: Installation, repository: Path) -> None:
    command = ("run", "digits_sweep.py", "sweep", "--candidates", "4", "--no-warm")
    done = installation.flyte(*command, cwd=repository / "examples", within_s=300)
    assert done.returncode == 0, f"{done.stderr}\n{installation.described()}"
    assert "best: C=" in done.stdout
    # Nothing is computed again: results are in the cache, their data in the object store.
    again = installation.flyte(*command, cwd=repository / "examples", within_s=120)
    assert again.stdout == done.stdout, again.stderr


def test_no_secret_stands_in_any_object_of_kubernetes(installation: Installation, since: int) -> None:
    given = {"CANARY": ("-p", "flytesnacks"), "CANARY_FILE": ("--group", "team"), "GIVEN_CANARY": ()}
    canaries = {key: Canary() for key in given}
    for key, arguments in given.items():
        made = installation.flyte("create", "secret", key, *arguments, stdin=canaries[key].value)
        assert made.returncode == 0, made.stderr
    installation.connect(CANARIES)
    told = flyte.run(canary.all_of_them).outputs()[0]
    installation.connect(PROGRAMS)
    assert "[secret]" in told[0]
    shown = everything_in_kubernetes(installation)
    assert WORKERS in shown
    found = sightings(canaries.values(), "kubernetes", shown)
    etcd = os.environ.get(ETCD_VARIABLE, "")
    own = installation.values()
    for where, content in etcd_history(etcd, since=since) if etcd else ():
        found += sightings(canaries.values(), where, content)
        if "/registry/secrets/" not in where:
            found += [f"{where}: {name}" for name, value in own.items() if value in content]
    assert found == []


def everything_in_kubernetes(installation: Installation) -> str:
    """Every object of both namespaces but Secrets, and what every pod has printed."""
    kinds = "pods,events,configmaps,services,endpoints,deployments,replicasets,jobs,serviceaccounts"
    shown = "".join(
        installation.kubectl("get", kinds, f"--namespace={namespace}", "--output=yaml")
        for namespace in (NAMESPACE, WORKERS)
    )
    logs = ("logs", f"--namespace={NAMESPACE}", "--selector=app.kubernetes.io/part-of=flyteplane", "--tail=-1")
    return shown + subprocess.run(["kubectl", *logs], capture_output=True, text=True, check=False, timeout=60).stdout


def test_every_service_is_replaced_during_a_fan_out_and_nothing_is_lost(
    installation: Installation, cluster: KubernetesUnderTest
) -> None:
    before = {name: names(installation.pods(name)) for name in SERVICES}
    with Board(cluster.host) as board, ThreadPoolExecutor(1) as beside:
        run = fan_out(board, FAN_OUT)
        board.await_entries(5, within_s=120)
        rolling = beside.submit(installation.roll)
        assert_nothing_lost(run, board, FAN_OUT)
        rolling.result()
    for name in SERVICES:
        after = {
            pod["metadata"]["name"] for pod in installation.pods(name) if not pod["metadata"].get("deletionTimestamp")
        }
        assert len(after) == 2
        assert not after & before[name], f"{name} was not replaced"


def test_leaders_are_killed_and_stores_restarted_during_a_fan_out_and_nothing_is_lost(
    installation: Installation, cluster: KubernetesUnderTest
) -> None:
    with Board(cluster.host) as board:
        run = fan_out(board, SMALL_FAN_OUT)
        seen = follow_until_done(run, 2)
        print(f"another scheduler served after {installation.kill_leader('scheduler'):.1f} s")
        print(f"another admin served after {installation.kill_leader('admin'):.1f} s")
        installation.restart_store("etcd", "TERM")
        installation.restart_store("postgres", "QUIT")
        assert_nothing_lost(run, board, SMALL_FAN_OUT)
        whole_log(run).assert_continues(seen)
    installation.await_ready(*SERVICES)


def test_a_changed_operator_file_takes_effect_without_a_restart(installation: Installation) -> None:
    before = {name: names(installation.pods(name)) for name in SERVICES}
    config = json.loads(
        installation.kubectl("get", "configmap", "flyteplane-config", f"--namespace={NAMESPACE}", "--output=json")
    )
    text = config["data"]["flyteplane.yaml"] + "  - {name: after, depth: 7}\n"
    patch = json.dumps({"data": {"flyteplane.yaml": text}})
    patched = ("configmap", "flyteplane-config", f"--namespace={NAMESPACE}", "--type=merge", f"--patch={patch}")
    installation.kubectl("patch", *patched)
    # The kubelet looks at once at a pod that has changed, and otherwise within a minute or so.
    selector = "--selector=app.kubernetes.io/name=scheduler"
    installation.kubectl(
        "annotate", "pods", f"--namespace={NAMESPACE}", selector, "example.org/touched=yes", "--overwrite"
    )
    leader = installation.leader()
    installation.logged(leader, "operator_file_taken")
    assert "after" in installation.flyte("get", "queue").stdout
    assert {name: names(installation.pods(name)) for name in SERVICES} == before


def test_nothing_is_left_behind(installation: Installation) -> None:
    listed = json.loads(installation.kubectl("get", "pods", f"--namespace={WORKERS}", "--output=json"))["items"]
    for pod in listed:
        installation.kubectl(
            "wait", "--for=delete", f"pod/{pod['metadata']['name']}", f"--namespace={WORKERS}", "--timeout=60s"
        )
    runs = json.loads(installation.flyte("get", "run", "--json").stdout)
    assert {run["phase"] for run in runs} == {"SUCCEEDED"}
