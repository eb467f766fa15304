"""Values that an operator gives: what is refused, and which class a demand gets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.scheduler.domain.queueing.classes import ClusterRoom, Demand, ResourceClass, smallest_fit
from flyteplane.scheduler.domain.queueing.settings import QueueSettings, parse_priority


@pytest.mark.parametrize(
    ("field", "given_value"),
    [
        ("name", ""),
        ("name", "Upper"),
        ("name", "a" * 64),
        ("run_concurrency", -1),
        ("action_concurrency", -1),
        ("action_concurrency", 10**9),
        ("action_concurrency", True),
        ("depth", -5),
        ("priority", -1),
        ("priority", 1001),
        ("clusters", ("",)),
        ("clusters", ("*", "one")),
        ("clusters", ("one", "one")),
    ],
)
def test_a_queue_that_cannot_be_is_refused_with_the_field(field: str, given_value: Any) -> None:
    with pytest.raises(InvalidArgument) as refused:
        QueueSettings(**{"name": "q", field: given_value})
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("field", "given_value"),
    [
        ("name", "no_underscores"),
        ("max_cpu_millis", -1),
        ("max_memory_bytes", -1),
        ("quota_memory_bytes", -1),
        ("max_accelerators", {"gpu": 1}),
        ("max_accelerators.GPU", {"GPU": 0}),
        ("node_selector", {"bad key": "x"}),
        ("tolerations_json", "{}"),
        ("tolerations_json", "[1]"),
        ("tolerations_json", '[{"what": "x"}]'),
        ("tolerations_json", "not json"),
        ("priority_class", "Not A Name"),
        ("service_accounts", ("",)),
    ],
)
def test_a_class_that_cannot_be_is_refused_with_the_field(field: str, given_value: Any) -> None:
    with pytest.raises(InvalidArgument) as refused:
        ResourceClass(**{"name": "c", field.partition(".")[0]: given_value})
    assert refused.value.field == field


def test_a_quota_below_what_one_attempt_may_use_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="quota is less than max_cpu_millis"):
        ResourceClass(name="c", max_cpu_millis=2000, quota_cpu_millis=1000)


@pytest.mark.parametrize(("text", "value"), [("min", 0), ("Medium", 500), ("max", 1000), ("700", 700), (3, 3)])
def test_priorities_are_words_or_numbers(text: str | int, value: int) -> None:
    assert parse_priority(text) == value


@pytest.mark.parametrize("text", ["high", "-1", "1001", "1.5", ""])
def test_other_priorities_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_priority(text)


CLASSES = (
    ResourceClass(name="any"),
    ResourceClass(name="large", max_cpu_millis=8_000, max_memory_bytes=8_000),
    ResourceClass(name="small", max_cpu_millis=1_000, max_memory_bytes=1_000),
    ResourceClass(name="a100", max_accelerators={"GPU/A100": 8}),
    ResourceClass(name="gpu", max_accelerators={"GPU": 2}, max_memory_bytes=5_000),
)


@pytest.mark.parametrize(
    ("demand", "name"),
    [
        (Demand(), "small"),
        (Demand(1_000, 1_000), "small"),
        (Demand(1_001), "large"),
        (Demand(9_000), "any"),
        (Demand(100, 100, (("GPU", 1),)), "gpu"),
        (Demand(100, 100, (("GPU/A100", 2),)), "gpu"),
        (Demand(100, 6_000, (("GPU/A100", 2),)), "a100"),
        (Demand(100, 100, (("GPU", 4),)), "a100"),
        (Demand(100, 100, (("GPU/H100", 4),)), None),
        (Demand(100, 100, (("TPU", 1),)), None),
        (Demand(100, 100, (("GPU", 1), ("GPU/A100", 2))), "a100"),
    ],
)
def test_the_smallest_class_that_fits_is_taken(demand: Demand, name: str | None) -> None:
    found = smallest_fit(demand, CLASSES)
    assert (found and found.name) == name


@given(st.permutations(CLASSES), st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_choice_does_not_depend_on_the_order_of_the_classes(
    classes: list[ResourceClass], cpu_millis: int, memory_bytes: int
) -> None:
    demand = Demand(cpu_millis, memory_bytes)
    assert smallest_fit(demand, classes) == smallest_fit(demand, CLASSES)


def test_devices_count_against_the_accelerators_of_their_class() -> None:
    room = ClusterRoom(name="c", accelerators={"GPU": 4, "GPU/A100": 2})
    assert not room.never_fits(Demand(0, 0, (("GPU/A100", 2),)))
    assert room.never_fits(Demand(0, 0, (("GPU/A100", 3),)))
    assert room.never_fits(Demand(0, 0, (("GPU/H100", 5),)))
    assert not room.never_fits(Demand(0, 0, (("TPU", 100),)))
