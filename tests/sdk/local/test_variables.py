"""Variables are laid over an environment in layers, and it is as before when all are gone."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flyte.local.variables import VariableLayers


def test_what_was_there_comes_back() -> None:
    environment = {"A": "old"}
    layers = VariableLayers(environment)
    with layers.applied({"A": "new", "B": "1"}):
        assert environment == {"A": "new", "B": "1"}
    assert environment == {"A": "old"}


class Layers(RuleBasedStateMachine):
    """Layers begin and end in any order; what shows is the latest that is still there."""

    def __init__(self) -> None:
        super().__init__()
        self.before = {"A": "0", "B": "0"}
        self.environment = dict(self.before)
        self.layers = VariableLayers(self.environment)
        self.open: list[tuple[dict[str, str], AbstractContextManager[Any]]] = []

    @rule(variables=st.dictionaries(st.sampled_from("ABCD"), st.text("123", min_size=1, max_size=2)))
    def begin(self, variables: dict[str, str]) -> None:
        block = self.layers.applied(variables)
        block.__enter__()
        self.open.append((variables, block))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.open) - 1))
        self.open.pop(index)[1].__exit__(None, None, None)

    @invariant()
    def the_latest_layer_shows(self) -> None:
        expected = dict(self.before)
        for variables, _ in self.open:
            expected |= variables
        assert self.environment == expected


TestLayers = Layers.TestCase
