"""Names of children never change: a parent that is tried again has to find the children that it has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte.spec.child_names import NAME_LENGTH, derive_child_name
from flyte.spec.names import NameKind, is_name

CALL: dict[str, Any] = {
    "parent": "a0",
    "task_identity": bytes(range(32)),
    "inputs_digest": bytes(32),
    "sequence": 0,
    "group": "",
}

# A change of any of these would run the finished children of every living run again.
GOLDEN: list[tuple[dict[str, Any], str]] = [
    ({}, "lmppwkmj18455oqn7a1y"),
    ({"sequence": 1}, "i1qd7i6pp9tlbb9eh0xi"),
    ({"group": "g"}, "yzebhst5lepczv7gijzv"),
    ({"parent": "a1"}, "sw9hczga0zibswq1hqgl"),
    ({"inputs_digest": b"\xff" * 32}, "j4uvgvqms5rb884rc91v"),
    ({"task_identity": b"\xff" * 32, "sequence": 99_999, "group": "ä"}, "i692tzn7jdtxkqvs7aur"),
]


@pytest.mark.parametrize(("changes", "name"), GOLDEN)
def test_a_call_has_the_name_that_it_always_had(changes: dict[str, Any], name: str) -> None:
    assert derive_child_name(**{**CALL, **changes}) == name


@given(st.text(), st.binary(max_size=64), st.binary(max_size=64), st.integers(min_value=0, max_value=2**64), st.text())
def test_every_name_is_well_formed(parent: str, identity: bytes, inputs: bytes, sequence: int, group: str) -> None:
    name = derive_child_name(
        parent=parent, task_identity=identity, inputs_digest=inputs, sequence=sequence, group=group
    )
    assert len(name) == NAME_LENGTH
    assert name[0].isalpha()
    assert is_name(name, kind=NameKind.RUN)


def test_parts_cannot_be_taken_for_each_other() -> None:
    def name(parent: str, group: str) -> str:
        return derive_child_name(
            **{**CALL, "parent": parent, "group": group, "task_identity": b"", "inputs_digest": b""}
        )

    assert name("ab", "c") != name("a", "bc")


def test_ten_thousand_calls_have_ten_thousand_names() -> None:
    assert len({derive_child_name(**{**CALL, "sequence": number}) for number in range(10_000)}) == 10_000
