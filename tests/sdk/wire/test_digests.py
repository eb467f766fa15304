"""What counts as the same inputs, interface and task."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import pytest

from flyte.io import File
from flyte.spec.digests import cache_key, inputs_digest, interface_digest, task_digest, task_identity
from flyte.types.codecs import codec_for
from flyteapi.task.v1.interface_pb2 import Interface
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteapi.task.v1.value_pb2 import NamedValues, Value

OTHER_NAN = struct.unpack("<d", struct.pack("<Q", 0xFFF8000000000001))[0]


def digest(annotation: Any, value: Any, name: str = "x") -> bytes:
    values = NamedValues()
    values.values.add(name=name).value.CopyFrom(codec_for(annotation).encode(value, name=name))
    before = values.SerializeToString(deterministic=True)
    found = inputs_digest(values)
    assert values.SerializeToString(deterministic=True) == before
    return found


@pytest.mark.parametrize(
    ("annotation", "left", "right"),
    [
        (dict[str, int], {"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (dict[str, dict[int, float]], {"a": {1: 0.0, 2: 1.0}}, {"a": {2: 1.0, 1: -0.0}}),
        (set[str], set(map(str, range(99))), set(map(str, reversed(range(99))))),
        (float, 0.0, -0.0),
        (float, float("nan"), OTHER_NAN),
        (list[float], [1.0, float("nan"), 0.0], [1.0, OTHER_NAN, -0.0]),
        (float | None, 0.0, -0.0),
        (tuple[int, float], (1, 0.0), (1, -0.0)),
        (list[Any], [{"a": 1, "b": 2}, "x"], [{"b": 2, "a": 1}, "x"]),
        (File, File(path="s3://a/1", hash="h", name="n"), File(path="s3://b/2", hash="h", name="m")),
        (File, File(path="s3://a/1", name="n"), File(path="s3://a/1", name="m")),
    ],
)
def test_values_that_are_the_same_have_one_digest(annotation: Any, left: Any, right: Any) -> None:
    assert digest(annotation, left) == digest(annotation, right)


@pytest.mark.parametrize(
    ("annotation", "left", "right"),
    [
        (int, 1, 2),
        (Any, 1, 1.0),
        (Any, 1, True),
        (Any, "a", b"a"),
        (list[int], [1, 2], [2, 1]),
        (dict[str, int], {"a": 1}, {"a": 2}),
        (Any, {"a": {}}, {"a": []}),
        (File, File(path="s3://a/1"), File(path="s3://a/2")),
        (File, File(path="s3://a/1", hash="h"), File(path="s3://a/1", hash="i")),
    ],
)
def test_values_that_differ_have_two_digests(annotation: Any, left: Any, right: Any) -> None:
    assert digest(annotation, left) != digest(annotation, right)


def test_names_count_and_ignored_ones_do_not() -> None:
    assert digest(int, 1, "x") != digest(int, 1, "y")
    one, two = NamedValues(), NamedValues()
    for values, noise in ((one, 1), (two, 2)):
        values.values.add(name="x", value=Value(int=1))
        values.values.add(name="noise", value=Value(int=noise))
    assert inputs_digest(one) != inputs_digest(two)
    assert inputs_digest(one, ["noise"]) == inputs_digest(two, ["noise"])


def test_plain_inputs_are_digested_as_the_bytes_that_travel() -> None:
    values = NamedValues()
    values.values.add(name="x", value=Value(int=3))
    assert inputs_digest(values) == hashlib.sha256(values.SerializeToString()).digest()


def interface(**changes: Any) -> Interface:
    message = Interface()
    message.inputs.add(name="a", type_name="int", json_schema="{}", required=True)
    message.inputs.add(name="b", type_name="str", json_schema="{}", default_value=b"1")
    message.outputs.add(name="o0", type_name=changes.get("output", "int"))
    return message


def test_an_interface_is_its_names_and_types() -> None:
    plain, reordered, other_default = interface(), Interface(), interface()
    reordered.CopyFrom(plain)
    reordered.inputs.reverse()
    other_default.inputs[1].default_value = b"2"
    assert len({interface_digest(message) for message in (plain, reordered, other_default)}) == 1
    assert interface_digest(interface(output="str")) != interface_digest(plain)


def test_every_part_of_a_cache_key_counts() -> None:
    parts: tuple[Any, ...] = ("env.task", b"i" * 32, "v1", b"d" * 32)
    others: tuple[Any, ...] = ("env.other", b"j" * 32, "v2", b"e" * 32)
    calls = [parts, *((*parts[:at], others[at], *parts[at + 1 :]) for at in range(len(parts)))]
    keys = {cache_key(*call) for call in calls}
    assert len(keys) == 5
    assert cache_key("a", b"bc", "", b"") != cache_key("ab", b"c", "", b"")
    assert task_identity("env.task", b"i" * 32, "v1") not in keys


def test_a_task_is_addressed_by_its_content() -> None:
    forward, backward = TaskSpec(name="e.t"), TaskSpec(name="e.t")
    for spec, keys in ((forward, "abc"), (backward, "cba")):
        for key in keys:
            spec.env[key] = key
    assert task_digest(forward) == task_digest(backward)
    assert task_digest(forward) == hashlib.sha256(forward.SerializeToString(deterministic=True)).digest()
    assert task_digest(TaskSpec(name="e.u")) != task_digest(TaskSpec(name="e.t"))
