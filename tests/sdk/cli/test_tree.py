"""The picture of a run: one line for what is alike, right counts, the same cost for any number of actions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from flyte.cli.drawing import Drawing
from flyte.cli.following import Progress, take_event
from flyte.cli.tree import RunTree
from flyte.spec.phases import ActionPhase
from flyteapi.common.v1 import phase_pb2
from flyteapi.scheduler.v1.event_pb2 import ActionHeader, Event

TERMINAL = (ActionPhase.SUCCEEDED, ActionPhase.FAILED, ActionPhase.ABORTED)


def tree_of(children: int) -> RunTree:
    tree = RunTree()
    tree.add("a0", parent="", name="main", group="", phase=ActionPhase.RUNNING)
    for number in range(children):
        tree.add(f"c{number}", parent="a0", name="square", group="env.square_map", phase=ActionPhase.QUEUED)
    return tree


def drawn(tree: RunTree, width: int = 100) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115 - closed with the test
    console.print(Drawing("Run r1", Progress(tree)).render())
    return console.export_text()


def test_alike_children_are_one_line_with_counts() -> None:
    tree = tree_of(1000)
    for number in range(400):
        tree.move(f"c{number}", phase=ActionPhase.SUCCEEDED)
    lines = list(tree.lines())
    assert [(depth, line.label, line.total) for depth, line in lines] == [(0, "main", 1), (1, "square", 1000)]
    assert lines[1][1].counts[ActionPhase.SUCCEEDED] == 400
    assert "square ×1,000  ✓ 400 succeeded  ○ 600 queued" in drawn(tree)


def test_groups_and_depth_are_kept_apart() -> None:
    tree = tree_of(2)
    tree.add("g1", parent="a0", name="square", group="evaluate", phase=ActionPhase.RUNNING)
    tree.add("d1", parent="c0", name="leaf", group="", phase=ActionPhase.RUNNING)
    tree.add("d2", parent="c1", name="leaf", group="", phase=ActionPhase.RUNNING)
    shown = [(depth, line.label, line.total) for depth, line in tree.lines()]
    assert shown == [(0, "main", 1), (1, "square", 2), (2, "leaf", 2), (1, "evaluate · square", 1)]


def test_events_are_taken_in_whatever_was_missed() -> None:
    tree = RunTree()
    take_event(tree, Event(action="unknown", phase=phase_pb2.PHASE_RUNNING))
    header = ActionHeader(task_name="e.main", short_name="main")
    take_event(tree, Event(action="a0", phase=phase_pb2.PHASE_QUEUED, header=header))
    take_event(tree, Event(action="a0", phase=phase_pb2.PHASE_RUNNING, attempt=1))
    take_event(tree, Event(action="a0", phase=phase_pb2.PHASE_QUEUED, attempt=1, reason="retry 1 of 2 in 1 s"))
    take_event(tree, Event(action="a0", phase=phase_pb2.PHASE_RUNNING, attempt=2))
    ((_, line),) = tree.lines()
    assert (line.total, line.counts[ActionPhase.RUNNING], line.retried) == (1, 1, 1)
    assert line.note == "retry 1 of 2 in 1 s"
    take_event(
        tree,
        Event(action="a0", phase=phase_pb2.PHASE_SUCCEEDED, attempt=2, cache_status=phase_pb2.CACHE_STATUS_HIT),
    )
    assert (line.note, line.cached) == ("", 1)


def test_markup_in_names_and_notes_is_text() -> None:
    tree = RunTree()
    tree.add("a0", parent="", name="[red]main", group="", phase=ActionPhase.FAILED)
    tree.move("a0", phase=ActionPhase.FAILED, note="boom [x]")
    assert "[red]main" in drawn(tree)
    assert "boom [x]" in drawn(tree)


def test_a_platform_that_is_away_is_said() -> None:
    progress = Progress(tree_of(0))
    progress.trouble = "No Flyteplane platform answers at unix:x."
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115 - closed with the test
    console.print(Drawing("Run r1", progress).render())
    assert "No Flyteplane platform answers at unix:x. Waiting for it." in console.export_text()


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(list(ActionPhase)))))
def test_counts_always_add_up(moves: list[tuple[int, ActionPhase]]) -> None:
    tree = tree_of(10)
    for number, phase in moves:
        tree.move(f"c{number}", phase=phase)
    for _, line in tree.lines():
        assert all(count >= 0 for count in line.counts.values())
    assert sum(line.total for _, line in tree.lines()) == 11 == tree.total


@pytest.mark.parametrize("children", [10, 10_000])
def test_the_number_of_lines_does_not_grow(children: int) -> None:
    assert len(list(tree_of(children).lines())) == 2
