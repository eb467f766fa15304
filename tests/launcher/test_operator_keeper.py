"""The operator's file is read again while the platform runs, and a wrong one changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flyteplane.launcher.operator_file import OperatorFile
from flyteplane.launcher.operator_keeper import OperatorFileKeeper
from flyteplane.scheduler.domain.definitions import Entries

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes flyteplane.yaml."""
    path = tmp_path / "flyteplane.yaml"

    def write_one(text: str) -> Path:
        path.write_text(text)
        return path

    return write_one


def keeper_of(path: Path) -> OperatorFileKeeper:
    """The keeper of a platform that was started with this file."""
    return OperatorFileKeeper(OperatorFile.read(path))


async def test_whoever_follows_is_told_at_once_and_of_every_change(write: Write) -> None:
    keeper, told = keeper_of(write("queues: [{name: a}]")), list[list[str]]()

    async def take(entries: Entries) -> None:
        told.append([queue.name for queue in entries.queues])

    await keeper.follow(take)
    write("queues: [{name: b}]")
    await keeper.take_again()
    write("queues: [{name: B}]")
    await keeper.take_again()
    assert told == [["a"], ["b"]]
    keeper.unfollow()
    write("queues: [{name: c}]")
    await keeper.take_again()
    assert told == [["a"], ["b"]]
    await keeper.follow(take)
    assert told[-1] == ["c"]


async def test_without_a_file_there_is_nothing_to_read_again() -> None:
    assert "without an operator's file" in (await OperatorFileKeeper(OperatorFile()).take_again()).problem


def test_a_new_file_takes_effect(write: Write) -> None:
    keeper = keeper_of(write("queues: [{name: a}]"))
    write("queues: [{name: b}]")
    assert keeper.reread().changed
    assert [queue.name for queue in keeper.current.queues] == ["b"]
    assert not keeper.reread().changed


def test_a_wrong_new_file_keeps_the_old_values_and_says_why(write: Write) -> None:
    keeper = keeper_of(write("queues: [{name: a}]"))
    before = keeper.current
    write("queues: [{name: B}]")
    outcome = keeper.reread()
    assert not outcome.changed
    assert "queues[0].name" in outcome.problem
    assert keeper.current is before


def test_a_file_that_went_away_keeps_the_old_values(write: Write) -> None:
    path = write("queues: [{name: a}]")
    keeper = keeper_of(path)
    path.unlink()
    assert "No such file" in keeper.reread().problem
    assert keeper.current.queues


def test_a_new_cluster_waits_for_the_next_start(write: Write) -> None:
    keeper = keeper_of(write("clusters: [{name: a, kind: process}]"))
    write("clusters: [{name: a, kind: process}, {name: b, kind: process}]\nqueues: [{name: q, clusters: [a]}]")
    outcome = keeper.reread()
    assert (outcome.changed, outcome.waiting) == (True, ("clusters",))
    assert keeper.current.cluster_names == ["a"]


def test_a_queue_may_not_name_a_cluster_that_is_yet_to_start(write: Write) -> None:
    keeper = keeper_of(write("clusters: [{name: a, kind: process}]"))
    write("clusters: [{name: a, kind: process}, {name: b, kind: process}]\nqueues: [{name: q, clusters: [b]}]")
    assert "started again" in keeper.reread().problem
    assert keeper.current.queues == ()
