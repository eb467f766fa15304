"""What an operator sees of pools of warm replicas and does to them, and how the command refuses what cannot be done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sdk.cli.conftest import Command, Finished, Flyte
from tests.sdk.cli.pool_platform import BROKEN, BUSY, PoolPlatform

from flyteplane.foundation.errors import Unavailable


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[PoolPlatform]:
    """A platform with a pool: two of its slots are held, and one attempt waits."""
    platform = PoolPlatform(tmp_path)
    platform.start()
    yield platform
    platform.close()


@pytest.fixture
def operate(platform: PoolPlatform, flyte: Flyte) -> Command:
    """Runs a command against that platform, which has to end with the code `fails`."""

    def run(*arguments: str, fails: int = 0) -> Finished:
        finished = flyte("--endpoint", platform.endpoint, "--insecure", *arguments)
        assert finished.code == fails, finished
        return finished

    return run


def pool_of(operate: Command, name: str = BUSY) -> Any:
    """The pool, as programs see it."""
    return json.loads(operate("get", "pool", name, "--json").out)


# --- looking --------------------------------------------------------------------------------------------------------


def test_pools_are_listed_with_what_they_do(operate: Command) -> None:
    (line,) = operate("get", "pool").out.splitlines()
    columns = line.split("\t")
    assert columns[:9] == ["a" * 12, "env", "p/d", "1 of 0 to 1", "2 of 2", "1", "2", "0%", "50 MiB"]
    assert "ago" in columns[9]


def test_one_pool_is_shown_with_its_replicas(operate: Command) -> None:
    shown = operate("get", "pool", "a" * 8).out
    for words in ("occupied           2 of 2", "waiting            1", "found a warm slot  0 (0%)", "0 to 1 replicas"):
        assert words in shown, shown
    assert "warm  running 2  done 0  50 MiB" in shown


def test_programs_get_every_figure(operate: Command) -> None:
    pool = pool_of(operate)
    (replica,) = pool.pop("replicas")
    assert {key: pool[key] for key in ("pool", "environment", "project", "domain")} == {
        "pool": BUSY,
        "environment": "env",
        "project": "p",
        "domain": "d",
    }
    assert (pool["slots"], pool["at_work"], pool["running"], pool["waiting"]) == (2, 2, 2, 1)
    assert (pool["placed"], pool["placed_warm"], pool["hit_rate"]) == (2, 0, 0.0)
    assert (pool["overflow_started"], pool["placed_in_lent_slots"], pool["replicas_lost"]) == (0, 0, 0)
    assert (replica["state"], replica["running"], replica["at_work"]) == ("warm", 2, 2)
    assert (replica["resident_bytes"], replica["overflow"]) == (50 << 20, False)
    assert json.loads(operate("get", "pool", "--json").out)[0]["pool"] == BUSY


def test_pools_of_a_scope_are_listed(operate: Command) -> None:
    assert operate("get", "pool", "-p", "p", "-d", "d").out.startswith("a" * 12)
    assert operate("get", "pool", "-p", "elsewhere").out == ""


def test_a_pool_whose_replicas_cannot_be_started_says_why_and_when_it_tries_again(
    operate: Command, platform: PoolPlatform
) -> None:
    platform.break_a_pool(Unavailable("there is no room for it"))
    broken = pool_of(operate, BROKEN)
    assert "there is no room for it" in broken["trouble"]
    assert broken["failed_starts"] >= 1
    assert broken["start_pause_s"] > 0
    shown = operate("get", "pool", BROKEN).out
    assert "there is no room for it" in shown
    assert "the next in" in shown


# --- changing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "bounds", "words"), [("3", [3, 3], "3 replicas"), ("0,4", [0, 4], "0 to 4 replicas")]
)
def test_a_pool_is_resized(operate: Command, given: str, bounds: list[int], words: str) -> None:
    said = operate("update", "pool", "a" * 8, "--replicas", given).out
    assert said == f"Pool {'a' * 12} of env has {words} from now on.\n"
    pool = pool_of(operate)
    assert [pool["min_replicas"], pool["max_replicas"]] == bounds


def test_programs_are_told_how_a_pool_is_after_a_change(operate: Command) -> None:
    assert json.loads(operate("update", "pool", BUSY, "--replicas", "2", "--json").out)["max_replicas"] == 2
    assert json.loads(operate("drain", "pool", BUSY, "--json").out)["pool"] == BUSY


def test_a_pool_is_drained_and_says_what_is_left(operate: Command) -> None:
    said = operate("drain", "pool", "a" * 8).out
    assert said == f"Pool {'a' * 12} of env lets its replicas go: 2 tasks still run, 1 wait.\n"


# --- what cannot be done --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("update", "pool", BUSY), "--replicas"),
        (("update", "pool", BUSY, "--replicas", "-1"), "give N or MIN,MAX"),
        (("update", "pool", BUSY, "--replicas", "many"), "give N or MIN,MAX"),
        (("update", "pool", BUSY, "--replicas", "1,2,3"), "give N or MIN,MAX"),
        (("update", "pool", BUSY, "--replicas", "5,2"), "the least (5) is above the most (2)"),
        (("update", "pool", BUSY, "--replicas", "0"), "flyte drain pool"),
        (("update", "pool", BUSY, "--replicas", "99999999999"), "out of bounds"),
        (("update", "pool", "--replicas", "1"), "NAME"),
        (("drain", "pool"), "NAME"),
    ],
)
def test_a_request_that_makes_no_sense_never_leaves(operate: Command, arguments: tuple[str, ...], words: str) -> None:
    assert words in " ".join(operate(*arguments, fails=1).err.split())


@pytest.mark.parametrize("arguments", [("get",), ("drain",), ("update", "--replicas", "1")])
@pytest.mark.parametrize(
    ("name", "words"), [("a" * 7, "at least 8 characters"), ("c" * 8, "no living pool is called so")]
)
def test_a_pool_that_is_not_found_is_told(operate: Command, arguments: tuple[str, ...], name: str, words: str) -> None:
    verb, *options = arguments
    assert words in operate(verb, "pool", name, *options, fails=1).err


@pytest.mark.parametrize("verb", ["get", "update", "drain"])
def test_every_verb_has_help_for_pools(flyte: Flyte, verb: str) -> None:
    finished = flyte(verb, "pool", "--help")
    assert finished.code == 0
    assert "NAME" in finished.out
