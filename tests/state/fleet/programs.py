"""The programs of the fleet: those of the smaller simulation, spread over queues, on fresh workers only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

from tests.state.program import Node, random_program

from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.scheduler.application.ports import RunKey

#: An attempt may be held up by an outage; only one that hangs on purpose should meet this.
_LONG_RUNTIME_S = 40.0
_LONG_DEADLINE_S = 60.0


@dataclass(slots=True)
class Program:
    """A run that somebody wants to see through."""

    key: RunKey
    root: Node
    settings: RunSettings
    queues: Mapping[str, str]
    """Queue of each node's task, by the node's name."""
    aborted: set[str] = field(default_factory=set)
    """Actions that somebody aborted: what the run returns is then anybody's guess."""
    accepted: bool = False


def random_fleet_program(random: Random, number: int, *, queues: list[str]) -> Program:
    """One program in one of two projects."""
    root = _on_fresh_workers(random_program(random, size=random.randint(0, 6)))
    key = RunKey(f"project{number % 2}", "domain", f"r{number}")
    settings = RunSettings(max_action_concurrency=random.choice([0, 0, 1, 3]))
    by_value = {value: random.choice(queues) for value in range(10)}
    placed = {
        node.name: by_value[node.value] if node.kind in ("cached", "serialize") else random.choice(queues)
        for node in root.all()
    }
    return Program(key, root, settings, placed)


def _on_fresh_workers(node: Node) -> Node:
    kind = "plain" if node.kind == "reuse" else node.kind
    return replace(node, kind=kind, children=tuple(_on_fresh_workers(child) for child in node.children))


def spec_of(node: Node, queues: Mapping[str, str]) -> TaskSpec:
    """The task of a node. Nodes that hang have time for outages of the platform."""
    spec = node.spec()
    spec.queue = queues[node.name]
    if node.hangs == "max_runtime":
        spec.timeouts.max_runtime.FromSeconds(int(_LONG_RUNTIME_S))
    elif node.hangs == "deadline":
        spec.timeouts.deadline.FromSeconds(int(_LONG_DEADLINE_S))
    return spec
