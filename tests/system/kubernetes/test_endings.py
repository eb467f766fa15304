"""How pods end: by themselves, by a signal, for want of memory, by somebody's hand, or because they are told to."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.support.board import Board
from tests.support.kubernetes import KubernetesUnderTest
from tests.support.platform import PlatformUnderTest
from tests.support.run_log import whole_log
from tests.system.kubernetes.conftest import platform_in
from tests.system.kubernetes.programs import endings

import flyte
from flyte.models import ActionPhase
from flyte.remote import Action, ActionDetails, Run


@pytest.fixture(scope="module")
def platform(cluster: KubernetesUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    """One platform for the module."""
    with platform_in(tmp_path_factory.mktemp("endings"), cluster) as platform:
        yield platform
        cluster.await_no_pods()
        platform.stop()


pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("platform")]


def failed(run: Run) -> str:
    """Waits for a run that must fail, and returns what is said of it."""
    run.wait()
    assert run.phase is ActionPhase.FAILED
    error = run.error()
    assert error is not None
    return str(error)


def attempts_of(run: Run) -> list[str]:
    """The error codes of the root's attempts; empty for one that succeeded."""
    return [attempt.error.code for attempt in ActionDetails.get(run_name=run.name).attempt_states]


def test_an_exception_and_an_exit_code_are_told_apart() -> None:
    raised, ended = flyte.run(endings.raises, "no orders today"), flyte.run(endings.exits, 3)
    assert "no orders today" in failed(raised)
    assert "exit code 3" in failed(ended)
    assert (attempts_of(raised), attempts_of(ended)) == (["ValueError"], ["WORKER_EXITED"])


def test_a_task_that_a_signal_kills_is_placed_again_at_nobodys_expense(board: Board) -> None:
    run = flyte.run(endings.killed_at_first, board.address)
    assert run.outputs()[0] == 2
    assert attempts_of(run) == ["WORKER_KILLED", ""]


def test_a_task_that_takes_too_much_memory_uses_up_its_retries_and_is_told_what_to_do(board: Board) -> None:
    run = flyte.run(endings.hungry, board.address, 400)
    assert "more memory than its limit. Give it more: resources=flyte.Resources(memory=" in failed(run)
    assert attempts_of(run) == ["OUT_OF_MEMORY"] * 2
    assert len(board.entries()) == 2


def test_pods_that_somebody_deletes_are_placed_again_though_nothing_may_be_retried(
    cluster: KubernetesUnderTest, board: Board
) -> None:
    runs = [flyte.run(endings.waits_once, board.address) for _ in range(3)]
    board.await_entries(3)
    for run in runs:
        cluster.delete_pod(cluster.pod_of(run.name))
    assert [run.outputs()[0] for run in runs] == [2, 2, 2]
    for run in runs:
        assert attempts_of(run) == ["POD_DELETED", ""]


def test_a_task_that_passes_its_limit_of_disk_is_tried_again_as_its_retries_allow(board: Board) -> None:
    run = flyte.run(endings.fills_its_disk_once, board.address)
    assert run.outputs()[0] == 2
    assert attempts_of(run) == ["OUT_OF_DISK", ""]
    (evicted, _) = ActionDetails.get(run_name=run.name).attempt_states
    assert "ephemeral" in evicted.error.message


def test_a_task_that_runs_for_too_long_is_ended_with_its_pod(cluster: KubernetesUnderTest, board: Board) -> None:
    run = flyte.run(endings.takes_too_long, board.address)
    run.wait()
    assert run.phase is ActionPhase.TIMED_OUT
    assert len(board.entries()) == 1
    cluster.await_no_pods(run=run.name)


def test_fifty_that_run_are_gone_soon_after_their_abort(
    platform: PlatformUnderTest, cluster: KubernetesUnderTest, board: Board
) -> None:
    run = flyte.run(endings.crowd, board.address, 50)
    board.await_entries(50, within_s=180.0)
    assert len(cluster.pods(run.name)) == 51
    began = time.monotonic()
    done = platform.flyte("abort", "run", run.name, "--reason", "enough")
    assert done.returncode == 0, done.stderr
    run.wait()
    print(f"aborted after {time.monotonic() - began:.1f} s")
    assert run.phase is ActionPhase.ABORTED
    log = whole_log(run)
    log.assert_each_action_ended_once()
    assert {action.phase for action in Action.listall(run.name)} == {ActionPhase.ABORTED}
    cluster.await_no_pods(run=run.name, within_s=30.0)
    print(f"last pod gone after {time.monotonic() - began:.1f} s")
    started = len(board.entries())
    assert flyte.run(endings.waits, board.address, 0.0).outputs()[0] == 1
    assert len(board.entries()) == started + 1
