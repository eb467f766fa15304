"""What an operator does to queues with `flyte`, and what the command says when it cannot be done."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.scheduler.administration_world import in_queue
from tests.sdk.cli.administration_platform import AdministrationPlatform
from tests.sdk.cli.conftest import Command, Flyte

from flyteplane.scheduler.domain.queueing.settings import QueueSettings


def queue_of(operate: Command, name: str) -> Any:
    """The queue, as programs see it."""
    return json.loads(operate("get", "queue", name, "--json").out)


# --- creating and changing ------------------------------------------------------------------------------------------


def test_a_queue_is_created_as_it_is_described(operate: Command) -> None:
    limits = ("--run-concurrency", "3", "--action-concurrency", "10", "--depth", "1000", "--priority", "max")
    said = operate("create", "queue", "gpu", *limits, "--cluster", "prod", "--cluster", "local").out
    assert said == "Created queue gpu.\n"
    assert queue_of(operate, "gpu") == {
        "queue": "gpu",
        "state": "active",
        "running": 0,
        "waiting": 0,
        "running_runs": 0,
        "run_concurrency": 3,
        "action_concurrency": 10,
        "depth": 1000,
        "priority": 1000,
        "clusters": ["prod", "local"],
        "from_file": False,
    }


def test_a_queue_without_options_has_no_limits_and_medium_priority(operate: Command) -> None:
    operate("create", "queue", "plain")
    plain = queue_of(operate, "plain")
    assert (plain["depth"], plain["action_concurrency"], plain["priority"]) == (0, 0, 500)


def test_an_update_changes_only_what_was_given(operate: Command) -> None:
    operate("create", "queue", "gpu", "--depth", "5", "--priority", "min", "--cluster", "prod")
    operate("drain", "queue", "gpu")
    operate("update", "queue", "gpu", "--action-concurrency", "7")
    gpu = queue_of(operate, "gpu")
    assert (gpu["depth"], gpu["priority"], gpu["clusters"]) == (5, 0, ["prod"])
    assert (gpu["action_concurrency"], gpu["state"]) == (7, "drained")


def test_a_limit_and_the_clusters_can_be_taken_back(operate: Command) -> None:
    operate("create", "queue", "gpu", "--depth", "5", "--cluster", "prod")
    operate("update", "queue", "gpu", "--depth", "0", "--cluster", "*")
    gpu = queue_of(operate, "gpu")
    assert (gpu["depth"], gpu["clusters"]) == (0, ["*"])


def test_a_queue_that_exists_is_not_created_again(operate: Command) -> None:
    operate("create", "queue", "gpu", "--depth", "5")
    said = operate("create", "queue", "gpu", fails=1).err
    assert "queue 'gpu' exists already" in said
    assert "flyte update queue gpu" in said
    assert queue_of(operate, "gpu")["depth"] == 5


# --- looking --------------------------------------------------------------------------------------------------------


def test_queues_are_listed_with_what_runs_and_waits(operate: Command, administered: AdministrationPlatform) -> None:
    administered.world.live.in_queue["default"] = in_queue(running=2, waiting=9, runs=1)
    rows = [line.split("\t") for line in operate("get", "queue").out.splitlines()]
    assert rows == [
        ["default", "active", "2", "9", "1", "none", "none", "none", "500", "*", ""],
        ["kept", "active", "0", "0", "0", "none", "none", "none", "500", "*", "file"],
    ]


def test_one_queue_is_shown_with_all_its_figures(operate: Command) -> None:
    shown = operate("get", "queue", "kept").out
    assert "running             0" in shown
    assert "kept in             the operator's file" in shown


# --- draining and deleting ------------------------------------------------------------------------------------------


def test_a_queue_is_drained_emptied_and_deleted(operate: Command, administered: AdministrationPlatform) -> None:
    operate("create", "queue", "gpu")
    assert "flyte drain queue gpu" in operate("delete", "queue", "gpu", fails=1).err
    administered.world.live.in_queue["gpu"] = in_queue(running=1, waiting=2)
    assert "1 running and 2 waiting actions are left" in operate("drain", "queue", "gpu").out
    assert "1 running and 2 waiting" in operate("delete", "queue", "gpu", fails=1).err
    administered.world.live.in_queue.clear()
    assert "is drained" in operate("drain", "queue", "gpu").out
    assert operate("delete", "queue", "gpu").out == "Deleted queue gpu.\n"
    assert "does not exist" in operate("get", "queue", "gpu", fails=1).err


def test_a_drained_queue_is_activated(operate: Command) -> None:
    operate("create", "queue", "gpu")
    operate("drain", "queue", "gpu")
    assert operate("activate", "queue", "gpu").out == "Queue gpu is active.\n"
    assert queue_of(operate, "gpu")["state"] == "active"


# --- what cannot be done --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "queue", "gpu", "--depth", "-1"), "-1"),
        (("create", "queue", "gpu", "--action-concurrency", "many"), "many"),
        (("create", "queue", "gpu", "--priority", "high"), "min, medium, max"),
        (("create", "queue", "gpu", "--priority", "1001"), "0 to 1000"),
        (("create", "queue"), "NAME"),
        (("update", "queue", "default"), "Nothing to change"),
    ],
)
def test_a_request_that_makes_no_sense_never_leaves(operate: Command, arguments: tuple[str, ...], words: str) -> None:
    assert words in " ".join(operate(*arguments, fails=1).err.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "queue", "GPU"), "lower-case letters, digits and '-'"),
        (("create", "queue", "gpu", "--cluster", "mars"), "The clusters are: local, prod"),
        (("create", "queue", "gpu", "--action-concurrency", "4000000000"), "1000000"),
        (("update", "queue", "gpu", "--depth", "1"), "The queues are: default, kept"),
        (("drain", "queue", "gpu"), "The queues are: default, kept"),
        (("delete", "queue", "default"), "always exists"),
        (("update", "queue", "kept", "--depth", "1"), "/etc/flyteplane.yaml"),
        (("drain", "queue", "kept"), "/etc/flyteplane.yaml"),
        (("delete", "queue", "kept"), "/etc/flyteplane.yaml"),
    ],
)
def test_what_the_platform_refuses_says_what_to_do_and_stores_nothing(
    operate: Command, administered: AdministrationPlatform, arguments: tuple[str, ...], words: str
) -> None:
    assert words in operate(*arguments, fails=1).err
    assert administered.world.stored_queues == []


@pytest.mark.parametrize("verb", ["create", "get", "update", "delete", "drain", "activate"])
def test_every_verb_has_help_for_queues(flyte: Flyte, verb: str) -> None:
    finished = flyte(verb, "queue", "--help")
    assert finished.code == 0
    assert "Usage:" in finished.out


def test_settings_of_the_scheduler_and_words_of_the_command_agree() -> None:
    from flyte.cli.quantity_types import PRIORITIES
    from flyteplane.scheduler.domain.queueing.settings import DEFAULT_PRIORITY, PRIORITY_NAMES

    assert dict(PRIORITIES) == dict(PRIORITY_NAMES)
    assert QueueSettings(name="q").priority == DEFAULT_PRIORITY == PRIORITIES["medium"]
