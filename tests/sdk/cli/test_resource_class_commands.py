"""What an operator does to resource classes with `flyte`, and where work is placed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.sdk.cli.administration_platform import AdministrationPlatform
from tests.sdk.cli.conftest import Command, Flyte

from flyte.cli.quantity_types import memory_text
from flyteplane.scheduler.domain.queueing.waits import RoomFigures

WHOLE = (
    *("--cpu", "4", "--memory", "8Gi", "--quota-cpu", "100", "--quota-memory", "400Gi"),
    *("--accelerator", "GPU=1", "--accelerator", "GPU/A100=8", "--cluster", "prod", "--node-selector", "pool=large"),
    *("--tolerations", '[{"key": "gpu", "operator": "Exists"}]', "--priority-class", "high"),
    *("--allow-host-paths", "--allow-privileged", "--allow-service-account-token", "--service-account", "robot"),
)


def class_of(operate: Command, name: str) -> Any:
    """The class, as programs see it."""
    return json.loads(operate("get", "resource-class", name, "--json").out)


def test_a_class_is_created_as_it_is_described(operate: Command) -> None:
    assert operate("create", "resource-class", "large", *WHOLE).out == "Created resource class large.\n"
    assert class_of(operate, "large") == {
        "resource_class": "large",
        "cpu_millis": 4000,
        "memory_bytes": 8 * 2**30,
        "accelerators": {"GPU": 1, "GPU/A100": 8},
        "clusters": ["prod"],
        "quota_cpu_millis": 100_000,
        "quota_memory_bytes": 400 * 2**30,
        "node_selector": {"pool": "large"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "priority_class": "high",
        "allow_host_paths": True,
        "allow_privileged": True,
        "allow_service_account_token": True,
        "service_accounts": ["robot"],
        "running": 0,
        "used_cpu_millis": 0,
        "used_memory_bytes": 0,
        "from_file": False,
        "built_in": False,
    }


def test_a_class_without_options_takes_everything_and_allows_nothing(operate: Command) -> None:
    operate("create", "resource-class", "any")
    shape = class_of(operate, "any")
    assert (shape["cpu_millis"], shape["memory_bytes"], shape["accelerators"]) == (0, 0, {})
    allowed = [shape[f"allow_{what}"] for what in ("host_paths", "privileged", "service_account_token")]
    assert allowed == [False, False, False]


def test_an_update_changes_only_what_was_given(operate: Command) -> None:
    operate("create", "resource-class", "large", *WHOLE)
    before = class_of(operate, "large")
    operate("update", "resource-class", "large", "--cpu", "500m", "--refuse-privileged")
    assert class_of(operate, "large") == before | {"cpu_millis": 500, "allow_privileged": False}


def test_lists_that_are_given_take_the_place_of_the_old_ones(operate: Command) -> None:
    operate("create", "resource-class", "large", *WHOLE)
    operate("update", "resource-class", "large", "--accelerator", "TPU=4", "--node-selector", "a=b", "--cluster", "*")
    shape = class_of(operate, "large")
    assert (shape["accelerators"], shape["node_selector"], shape["clusters"]) == ({"TPU": 4}, {"a": "b"}, ["*"])


def test_what_is_cleared_is_empty(operate: Command) -> None:
    operate("create", "resource-class", "large", *WHOLE)
    wanted = ("accelerators", "node-selector", "tolerations", "priority-class", "service-accounts")
    operate("update", "resource-class", "large", *(part for what in wanted for part in ("--clear", what)))
    shape = class_of(operate, "large")
    assert not any(shape[what.replace("-", "_")] for what in wanted)
    assert shape["cpu_millis"] == 4000


def test_classes_are_listed_smallest_first_with_what_they_have_in_use(
    operate: Command, administered: AdministrationPlatform
) -> None:
    operate("create", "resource-class", "small", "--cpu", "1", "--memory", "1Gi", "--quota-cpu", "10")
    administered.world.live.in_class["small"] = RoomFigures(running=2, used_cpu_millis=1500, used_memory_bytes=2**30)
    rows = [line.split("\t") for line in operate("get", "resource-class").out.splitlines()]
    assert rows == [
        ["small", "1", "1Gi", "", "2", "1500m of 10", "1Gi", "*", ""],
        ["shape", "any", "any", "", "0", "0", "0", "*", "file"],
    ]


def test_one_class_is_shown_in_words(operate: Command) -> None:
    operate("create", "resource-class", "large", *WHOLE)
    shown = operate("get", "resource-class", "large").out
    assert "GPU=1, GPU/A100=8" in shown
    assert "host paths, privileged, service account token" in shown
    assert "memory in use     0 of 400Gi" in shown


def test_a_class_is_deleted(operate: Command) -> None:
    operate("create", "resource-class", "large")
    assert operate("delete", "resource-class", "large").out == "Deleted resource class large.\n"
    assert "does not exist" in operate("delete", "resource-class", "large", fails=1).err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "resource-class", "c", "--cpu", "four"), "not a Kubernetes quantity"),
        (("create", "resource-class", "c", "--memory", "-1Gi"), "not a Kubernetes quantity"),
        (("create", "resource-class", "c", "--accelerator", "GPU"), "is not KEY=VALUE"),
        (("create", "resource-class", "c", "--accelerator", "GPU=many"), "no number of at least 1"),
        (("create", "resource-class", "c", "--accelerator", "GPU=-1"), "no number of at least 1"),
        (("create", "resource-class", "c", "--node-selector", "pool"), "is not KEY=VALUE"),
        (("update", "resource-class", "c"), "Nothing to change"),
        (("update", "resource-class", "c", "--clear", "cpu"), "--clear"),
    ],
)
def test_a_request_that_makes_no_sense_never_leaves(operate: Command, arguments: tuple[str, ...], words: str) -> None:
    assert words in " ".join(operate(*arguments, fails=1).err.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "resource-class", "C"), "lower-case letters, digits and '-'"),
        (("create", "resource-class", "c", "--cpu", "2", "--quota-cpu", "1"), "quota"),
        (("create", "resource-class", "c", "--accelerator", "gpu=1"), "'gpu'"),
        (("create", "resource-class", "c", "--tolerations", "{}"), "JSON list"),
        (("create", "resource-class", "c", "--tolerations", '[{"kee": 1}]'), "kee"),
        (("create", "resource-class", "c", "--tolerations", "["), "cannot be read"),
        (("create", "resource-class", "c", "--node-selector", "a b=c"), "node"),
        (("create", "resource-class", "c", "--priority-class", "High!"), "Kubernetes"),
        (("create", "resource-class", "c", "--service-account", "Robot"), "Kubernetes"),
        (("create", "resource-class", "c", "--cluster", "mars"), "The clusters are: local, prod"),
        (("update", "resource-class", "c", "--cpu", "1"), "The resource classes are: shape"),
        (("create", "resource-class", "shape"), "exists already"),
        (("update", "resource-class", "shape", "--cpu", "1"), "/etc/flyteplane.yaml"),
        (("delete", "resource-class", "shape"), "/etc/flyteplane.yaml"),
    ],
)
def test_what_the_platform_refuses_says_what_to_do_and_stores_nothing(
    operate: Command, administered: AdministrationPlatform, arguments: tuple[str, ...], words: str
) -> None:
    assert words in operate(*arguments, fails=1).err
    assert administered.world.rows.classes == {}


@pytest.mark.parametrize("verb", ["create", "get", "update", "delete"])
def test_every_verb_has_help_for_classes(flyte: Flyte, verb: str) -> None:
    finished = flyte(verb, "resource-class", "--help")
    assert finished.code == 0
    assert "Usage:" in finished.out


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0"), (2**30, "1Gi"), (3 * 2**19, "1536Ki"), (25276510208, "23.5Gi"), (2**40, "1Ti")]
)
def test_memory_is_told_in_a_few_characters(amount: int, text: str) -> None:
    assert memory_text(amount) == text


# --- clusters -------------------------------------------------------------------------------------------------------


def test_clusters_are_listed(operate: Command) -> None:
    assert operate("get", "cluster").out.split("\t")[:3] == ["local", "memory", "reachable"]
    found = json.loads(operate("get", "cluster", "local", "--json").out)
    assert (found["cluster"], found["reachable"], found["workers"]) == ("local", True, 3)


def test_an_unknown_cluster_is_told_which_there_are(operate: Command) -> None:
    assert "The clusters are: local" in operate("get", "cluster", "mars", fails=1).err
