"""`flyte get action --explain` says why an action is not running, and what was tried where."""

from __future__ import annotations

import json

from tests.sdk.cli.administration_platform import AdministrationPlatform
from tests.sdk.cli.conftest import Command

from flyteapi.common.v1.phase_pb2 import PHASE_QUEUED, PHASE_RUNNING
from flyteapi.scheduler.v1.scheduler_service_pb2 import ExplainActionResponse

EXPLAIN = ("get", "action", "r1", "a0", "--explain")


def lines(text: str) -> dict[str, str]:
    """The details, by name."""
    return {name: value.strip() for name, _, value in (line.partition("  ") for line in text.splitlines())}


def test_a_waiting_action_has_a_position_in_its_queue(operate: Command) -> None:
    shown = lines(operate(*EXPLAIN).out)
    assert shown["explanation"] == "It waits for its turn."
    assert shown["waits for"] == "queue"
    assert shown["position"] == "4 in queue gpu: 3 ahead"
    assert shown["queue"] == "gpu"
    assert shown["resource class"] == "large"


def test_an_attempt_tells_where_it_was_placed_and_as_what(operate: Command) -> None:
    wanted = "1: FAILED  w1  on prod as small  Evicted: the node was low on memory"
    assert lines(operate("get", "action", "r1", "a0").out)["attempts"] == wanted
    assert lines(operate(*EXPLAIN).out)["attempts"] == wanted


def test_what_the_cluster_says_is_shown_with_the_node(operate: Command, administered: AdministrationPlatform) -> None:
    said = "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."
    administered.run.explained = ExplainActionResponse(
        phase=PHASE_QUEUED,
        summary="Its pod waits.",
        waits_for="worker",
        cluster="prod",
        node="n7",
        cluster_message=said,
    )
    shown = lines(operate(*EXPLAIN).out)
    assert (shown["cluster says"], shown["cluster"], shown["node"]) == (said, "prod", "n7")
    assert "position" not in shown


def test_a_retry_says_when_it_is_due(operate: Command, administered: AdministrationPlatform) -> None:
    explained = ExplainActionResponse(phase=PHASE_QUEUED, summary="It was evicted.", waits_for="retry")
    explained.not_before.FromJsonString("2026-11-22T12:00:00Z")
    administered.run.explained = explained
    assert lines(operate(*EXPLAIN).out)["not before"] == "2026-11-22T12:00:00+00:00"


def test_what_the_run_gave_is_said_to_be_from_it(operate: Command) -> None:
    settings = json.loads(operate(*EXPLAIN, "--json").out)["settings"]
    assert settings["queue"] == {"value": "gpu", "level": "run"}
    assert settings["env_vars"] == {"value": {"A": "task", "B": "run"}, "level": "default, run"}


def test_programs_get_every_fact_apart(operate: Command) -> None:
    found = json.loads(operate(*EXPLAIN, "--json").out)
    wanted = {"waits_for": "queue", "ahead_in_queue": 3, "queue": "gpu", "resource_class": "large", "not_before": None}
    assert {name: found[name] for name in wanted} == wanted
    assert found["attempts"][0]["cluster"] == "prod"
    assert found["attempts"][0]["resource_class"] == "small"


def test_an_action_that_runs_waits_for_nothing(operate: Command, administered: AdministrationPlatform) -> None:
    administered.run.explained = ExplainActionResponse(
        phase=PHASE_RUNNING, summary="It runs.", cluster="prod", worker="w2"
    )
    found = json.loads(operate(*EXPLAIN, "--json").out)
    assert (found["ahead_in_queue"], found["waits_for"]) == (None, "")
    assert "position" not in lines(operate(*EXPLAIN).out)
