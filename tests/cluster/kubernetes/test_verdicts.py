"""What a pod's status means: the classification table, row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.cluster.kubernetes.specs import ended, pod, running, waiting

from flyteplane.cluster.kubernetes.endings import exit_of_vanished, explained, stopped
from flyteplane.cluster.kubernetes.history import PodHistory
from flyteplane.cluster.kubernetes.verdicts import Patience, Verdict, judge
from flyteplane.cluster.ports import ExitReason, WorkerExit, WorkerStage

FINISHED = "2026-01-01T00:00:10Z"
BEFORE = "2026-01-01T00:00:05Z"
AFTER = "2026-01-01T00:01:00Z"
NOW = 1000.0


def judged(seen: dict[str, Any], *, history: PodHistory | None = None, now: float = NOW) -> Verdict:
    """The verdict on a pod."""
    history = history or PodHistory()
    return judge(seen, worker="w", history=history, patience=Patience(image_s=300, container_s=30), now=now)


def exit_of(seen: dict[str, Any], **more: Any) -> WorkerExit:
    """The exit that a pod shows."""
    exit = judged(seen, **more).exit
    assert exit is not None
    return exit


def failed(*states: dict[str, Any], **status: Any) -> dict[str, Any]:
    """A pod with these containers."""
    return pod(phase=status.pop("phase", "Failed"), containerStatuses=list(states), **status)


@pytest.mark.parametrize("code", [0, 1, 2, 42, 100, 127, 128, 200, 255])
def test_an_exit_code_is_passed_on(code: int) -> None:
    exit = exit_of(failed(ended("main", code, finishedAt=FINISHED)))
    assert (exit.reason, exit.exit_code, exit.signal, exit.known) == (ExitReason.ENDED, code, 0, True)
    assert (f"container main ended with code {code}" in exit.message) is bool(code)


@pytest.mark.parametrize(("code", "signal"), [(137, 9), (139, 11), (134, 6), (143, 15), (130, 2)])
def test_a_code_above_128_is_the_signal_that_it_stands_for(code: int, signal: int) -> None:
    exit = exit_of(failed(ended("main", code, reason="Error")))
    assert (exit.reason, exit.exit_code, exit.signal) == (ExitReason.ENDED, 0, signal)
    assert f"signal {signal}" in exit.message


def test_a_primary_killed_for_its_memory_is_out_of_memory() -> None:
    exit = exit_of(failed(ended("main", 137, reason="OOMKilled")))
    assert (exit.reason, exit.out_of_memory, exit.signal) == (ExitReason.OUT_OF_MEMORY, True, 9)


def test_the_primary_decides_as_soon_as_it_has_ended_whatever_its_sidecars_do() -> None:
    exit = exit_of(failed(running("proxy"), ended("main", 0), phase="Running"))
    assert (exit.reason, exit.exit_code) == (ExitReason.ENDED, 0)


def test_the_message_of_a_failed_primary_names_failed_sidecars_and_its_own_last_words() -> None:
    exit = exit_of(failed(ended("proxy", 137, reason="OOMKilled"), ended("main", 1, message="Boom\n")))
    assert exit.reason is ExitReason.ENDED
    assert exit.message == ("container main ended with code 1:\nBoom; sidecar proxy was ended by signal 9 (OOMKilled)")


@pytest.mark.parametrize("how", [{"code": 1}, {"code": 137, "reason": "OOMKilled"}])
def test_a_sidecar_that_fails_before_the_primary_has_ended_ends_the_worker(how: dict[str, Any]) -> None:
    exit = exit_of(failed(ended("proxy", **how), running("main"), phase="Running"))
    assert exit.reason is ExitReason.SIDECAR_FAILED
    assert exit.message.startswith("sidecar proxy")


def test_a_sidecar_that_ends_well_ends_nothing() -> None:
    assert judged(failed(ended("proxy", 0), running("main"), phase="Running")).running


def test_a_failed_init_container_ends_the_worker() -> None:
    exit = exit_of(
        pod(
            phase="Failed",
            initContainerStatuses=[ended("fetch", 3, message="no disk")],
            containerStatuses=[waiting("main", "PodInitializing")],
        )
    )
    assert exit.reason is ExitReason.SIDECAR_FAILED
    assert exit.message == "init container fetch ended with code 3:\nno disk"


@pytest.mark.parametrize(
    "message",
    [
        "Pod ephemeral local storage usage exceeds the total limit of containers 64Mi. ",
        'Container main exceeded its local ephemeral storage limit "64Mi". ',
        'Usage of EmptyDir volume "shm" exceeds the limit "64Mi". ',
    ],
)
@pytest.mark.parametrize("states", [[], [ended("main", 137)]])
def test_a_pod_that_its_node_evicts_for_its_own_limit_of_disk_is_out_of_disk(
    message: str, states: list[dict[str, Any]]
) -> None:
    exit = exit_of(failed(*states, reason="Evicted", message=message))
    assert exit.reason is ExitReason.OUT_OF_DISK


@pytest.mark.parametrize(
    ("reason", "means"),
    [
        ("Evicted", ExitReason.EVICTED),
        ("Preempting", ExitReason.PREEMPTED),
        ("NodeLost", ExitReason.NODE_LOST),
        ("NodeShutdown", ExitReason.NODE_LOST),
        ("Terminated", ExitReason.NODE_LOST),
        ("OutOfcpu", ExitReason.EVICTED),
        ("UnexpectedAdmissionError", ExitReason.EVICTED),
    ],
)
@pytest.mark.parametrize("states", [[], [ended("main", 137)]])
def test_the_reason_of_a_failed_pod_goes_before_the_code(
    reason: str, means: ExitReason, states: list[dict[str, Any]]
) -> None:
    exit = exit_of(failed(*states, reason=reason, message="The node was low on memory."))
    assert exit.reason is means
    assert "The node was low on memory." in exit.message


@pytest.mark.parametrize(
    ("reason", "means"),
    [
        ("PreemptionByScheduler", ExitReason.PREEMPTED),
        ("DeletionByTaintManager", ExitReason.NODE_LOST),
        ("DeletionByPodGC", ExitReason.NODE_LOST),
        ("EvictionByEvictionAPI", ExitReason.EVICTED),
        ("TerminationByKubelet", ExitReason.EVICTED),
    ],
)
def test_a_disruption_says_who_ended_it(reason: str, means: ExitReason) -> None:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "make room"}
    seen = failed(ended("main", 143, finishedAt=FINISHED), conditions=[condition])
    assert exit_of(seen).reason is means
    assert exit_of_vanished(pod(phase="Running", conditions=[condition]), worker="w").reason is means


def test_what_ends_well_has_ended_well_even_while_it_is_deleted() -> None:
    seen = failed(ended("main", 0, finishedAt=FINISHED)) | {}
    seen["metadata"] |= {"deletionTimestamp": AFTER, "deletionGracePeriodSeconds": 60}
    assert exit_of(seen).reason is ExitReason.ENDED


def test_a_failure_after_a_deletion_was_asked_for_is_the_deletion() -> None:
    seen = failed(ended("main", 143, finishedAt=FINISHED))
    seen["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:35Z", "deletionGracePeriodSeconds": 30}
    assert exit_of(seen).reason is ExitReason.POD_DELETED


def test_a_failure_before_a_deletion_was_asked_for_is_its_own() -> None:
    seen = failed(ended("main", 1, finishedAt=BEFORE))
    seen["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:45Z", "deletionGracePeriodSeconds": 30}
    assert exit_of(seen).reason is ExitReason.ENDED


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("InvalidImageName", "couldn't parse image reference"),
        ("ErrImageNeverPull", "Container image is not present with pull policy of Never"),
        ("ErrImagePull", 'failed to resolve reference "x": docker.io/library/x:9: not found'),
        ("ErrImagePull", "manifest unknown: manifest unknown"),
        ("ErrImagePull", "rpc error: code = NotFound desc = failed to pull"),
        ("ErrImagePull", "pull access denied, repository does not exist or may require authorization"),
    ],
)
def test_an_image_that_does_not_exist_fails_at_once(reason: str, message: str) -> None:
    exit = exit_of(failed(waiting("main", reason, message), phase="Pending"))
    assert exit.reason is ExitReason.IMAGE_NOT_FOUND
    assert message in exit.message


@pytest.mark.parametrize(
    "message", ["dial tcp: lookup registry: no such host", "429 Too Many Requests", "lookup registry: host not found"]
)
def test_an_image_that_cannot_be_had_now_is_waited_for_until_patience_ends(message: str) -> None:
    seen = failed(waiting("main", "ErrImagePull", message), phase="Pending")
    first = judged(seen)
    assert first.exit is None
    assert first.progress is not None
    assert (first.progress.stage, first.progress.reason) == (WorkerStage.STARTING, "ErrImagePull")
    assert first.look_again_s == 300
    backing_off = failed(waiting("main", "ImagePullBackOff", "Back-off pulling image"), phase="Pending")
    second = judged(backing_off, history=first.history, now=NOW + 200)
    assert (second.exit, second.look_again_s) == (None, 100)
    last = judged(backing_off, history=second.history, now=NOW + 300)
    assert last.exit is not None
    assert last.exit.reason is ExitReason.IMAGE_PULL_FAILED


def test_the_event_of_a_pull_says_what_a_status_in_back_off_forgets() -> None:
    event = {"reason": "Failed", "message": 'Failed to pull image "x": manifest unknown', "lastTimestamp": FINISHED}
    history = PodHistory().warned(event, now=NOW)
    backing_off = failed(waiting("main", "ImagePullBackOff", "Back-off pulling image"), phase="Pending")
    exit = exit_of(backing_off, history=history)
    assert exit.reason is ExitReason.IMAGE_NOT_FOUND
    assert "manifest unknown" in exit.message


def test_trouble_that_passes_is_forgotten() -> None:
    first = judged(failed(waiting("main", "ErrImagePull", "429"), phase="Pending"))
    second = judged(failed(running("main"), phase="Running"), history=first.history, now=NOW + 10)
    assert second.running
    assert second.history.since == 0


@pytest.mark.parametrize(
    ("reason", "patience"),
    [("CreateContainerConfigError", 30), ("CreateContainerError", 30), ("RunContainerError", 0)],
)
def test_a_container_that_cannot_be_made_is_refused(reason: str, patience: float) -> None:
    seen = failed(waiting("main", reason, 'configmap "c" not found'), phase="Pending")
    history = judged(seen).history
    assert (judged(seen, history=history, now=NOW + max(patience - 0.1, 0)).exit is None) is bool(patience)
    exit = exit_of(seen, history=history, now=NOW + patience)
    assert exit.reason is ExitReason.CONTAINER_REFUSED
    assert 'configmap "c" not found' in exit.message


@pytest.mark.parametrize("reason", ["StartError", "ContainerCannotRun"])
def test_a_command_that_cannot_be_run_is_refused(reason: str) -> None:
    exit = exit_of(failed(ended("main", 128, reason=reason, message='exec: "pyton": not found')))
    assert exit.reason is ExitReason.CONTAINER_REFUSED


def test_a_pod_without_room_waits_with_the_schedulers_words() -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient cpu.",
    }
    progress = judged(pod(node="", phase="Pending", conditions=[condition])).progress
    assert progress is not None
    assert (progress.stage, progress.reason) == (WorkerStage.WAITING, "Unschedulable")
    assert progress.message == "0/3 nodes are available: 3 Insufficient cpu."


def test_a_volume_that_is_not_there_is_told_and_refused_only_while_it_is_still_said() -> None:
    event = {"reason": "FailedMount", "message": 'configmap "c" not found', "lastTimestamp": FINISHED}
    seen = failed(waiting("main", "ContainerCreating"), phase="Pending")
    first = judged(seen, history=PodHistory().warned(event, now=NOW))
    assert first.progress is not None
    assert (first.progress.reason, first.progress.message) == ("FailedMount", 'configmap "c" not found')
    assert judged(seen, history=first.history, now=NOW + 400).exit is None
    fresh = replace(first.history, warning_seen=NOW + 300)
    assert exit_of(seen, history=fresh, now=NOW + 301).reason is ExitReason.CONTAINER_REFUSED


@pytest.mark.parametrize("phase", ["Unknown", "Running", "Pending"])
def test_a_pod_of_which_nothing_is_known_has_not_ended(phase: str) -> None:
    assert judged(pod(phase=phase)).exit is None
    assert judged(pod(phase=phase, reason="NodeLost", message="Node is unresponsive")).exit is None


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_an_ended_pod_without_a_status_of_its_container_is_lost(phase: str) -> None:
    exit = exit_of(pod(phase=phase))
    assert (exit.reason, exit.known) == (ExitReason.LOST, False)


def test_a_pod_that_is_being_deleted_makes_no_progress() -> None:
    verdict = judged(pod(phase="Pending", deleted_at=FINISHED))
    assert (verdict.exit, verdict.progress) == (None, None)


def test_a_pod_that_vanished_was_deleted_unless_its_worker_had_ended() -> None:
    gone = exit_of_vanished(failed(running("main"), phase="Running"), worker="w")
    assert (gone.reason, gone.known) == (ExitReason.POD_DELETED, False)
    assert exit_of_vanished(failed(ended("main", 4)), worker="w").exit_code == 4
    assert exit_of_vanished(failed(ended("proxy", 4), running("main")), worker="w").reason is ExitReason.POD_DELETED


READY = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
NOT_READY = {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}


@pytest.mark.parametrize(
    ("events", "node", "means"),
    [
        ([], READY, ExitReason.POD_DELETED),
        ([], None, ExitReason.POD_DELETED),
        ([], NOT_READY, ExitReason.NODE_LOST),
        ([], {}, ExitReason.NODE_LOST),
        (["TaintManagerEviction"], READY, ExitReason.NODE_LOST),
        (["Pulled", "Preempted"], READY, ExitReason.PREEMPTED),
        (["Evicted"], READY, ExitReason.EVICTED),
    ],
)
def test_events_and_node_say_why_a_pod_was_deleted(
    events: list[str], node: dict[str, Any] | None, means: ExitReason
) -> None:
    gone = exit_of_vanished(failed(running("main"), phase="Running"), worker="w")
    told = [{"reason": reason, "message": "because"} for reason in events]
    assert explained(gone, pod=pod(), events=told, node=node).reason is means


def test_a_stopped_worker_was_stopped_unless_it_had_ended_before() -> None:
    ending = failed(ended("main", 143, finishedAt=FINISHED))
    ending["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:35Z", "deletionGracePeriodSeconds": 30}
    exit = stopped(exit_of(ending), ending)
    assert (exit.reason, exit.signal) == (ExitReason.STOPPED, 15)
    before = failed(ended("main", 7, finishedAt=BEFORE))
    before["metadata"] |= {"deletionTimestamp": AFTER, "deletionGracePeriodSeconds": 30}
    assert stopped(exit_of(before), before).exit_code == 7
    assert stopped(exit_of(before), before).reason is ExitReason.ENDED
