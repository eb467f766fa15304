"""Random programs whose results are known before they run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.scheduler.harness import task

from flyteapi.task.v1.task_spec_pb2 import TaskSpec

#: What a parent counts for a child that failed, and for one that it did not wait for.
FAILED, IMPATIENT = 1_000, 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One action of a program: fails some times, calls its children, returns the sum of all."""

    name: str
    kind: str
    """"plain", "reuse", "cached" or "serialize"; the last two are leaves."""
    value: int
    fails: int
    retries: int
    lasting: bool
    """It fails before it calls its children, or else after."""
    sequential: bool
    """It calls its children one after the other."""
    deadly: bool
    """It kills every worker that runs it."""
    hangs: str
    """"max_runtime": where it would fail, it does nothing until that has passed. "deadline": it never does anything.
    Empty: it never hangs. For leaves."""
    impatient: frozenset[str]
    """Children that it does not wait for."""
    children: tuple[Node, ...]

    @property
    def result(self) -> int | None:
        """What it returns; None if it fails for good."""
        if self.fails > self.retries or self.deadly or self.hangs == "deadline":
            return None
        return self.value + sum(self.worth(child) for child in self.children)

    def worth(self, child: Node) -> int:
        """What a child contributes."""
        if child.name in self.impatient:
            return IMPATIENT
        return FAILED if child.result is None else child.result

    def all(self) -> Iterator[Node]:
        """The node and all below it."""
        yield self
        for child in self.children:
            yield from child.all()

    def spec(self) -> TaskSpec:
        """Its task. Cached nodes of one value share one."""
        cached = self.kind in ("cached", "serialize")
        shared = f"env.{self.kind}{self.value}" if cached else f"env.{self.kind}"
        times = {"": {}, "max_runtime": {"max_runtime": 2.0}, "deadline": {"deadline": 15.0}}[self.hangs]
        spec = task(shared, retries=self.retries, reuse=self.kind == "reuse", cached=cached, **times)
        spec.cache.serialize = self.kind == "serialize"
        spec.resources.cpu = "700m" if self.value % 5 == 0 else "250m"
        return spec


def random_program(random: Random, *, size: int) -> Node:
    """A root with up to `size` actions below it."""
    budget = [size]

    def node(name: str, depth: int) -> Node:
        children: list[Node] = []
        while depth < 4 and budget[0] and random.random() < (0.85 if depth == 0 else 0.45):
            budget[0] -= 1
            children.append(node(f"{name}-{len(children)}" if depth else f"c{len(children)}", depth + 1))
        kinds = ["plain", "plain", "reuse"] if children or not depth else ["plain", "reuse", "cached", "serialize"]
        kind = random.choice(kinds)
        retries = random.choice([0, 1, 1, 2])
        deadly = depth > 0 and kind in ("plain", "reuse") and random.random() < 0.05
        hangs = (
            random.choice(["", "", "max_runtime", "deadline"]) if not children and kind in ("plain", "reuse") else ""
        )
        gives_up = kind in ("plain", "reuse") and random.random() < 0.08
        return Node(
            name=name,
            kind=kind,
            value=random.randint(1, 9),
            fails=retries + 1 if gives_up else random.randint(0, retries),
            retries=retries,
            lasting=random.random() < 0.5,
            sequential=random.random() < 0.3,
            deadly=deadly,
            hangs=hangs,
            impatient=frozenset(child.name for child in children if random.random() < 0.1),
            children=tuple(children),
        )

    return node("a0", 0)
