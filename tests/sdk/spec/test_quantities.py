"""Kubernetes quantities as numbers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte.spec.problems import InvalidSetting
from flyte.spec.quantities import format_bytes, format_cpu_millis, parse_bytes, parse_cpu_millis


@pytest.mark.parametrize(
    ("written", "millis"),
    [
        (1, 1000),
        (0.5, 500),
        ("100m", 100),
        ("2", 2000),
        ("1.5", 1500),
        ("0", 0),
        (1e-7, 1),
        ("1e-1", 100),
        ("1k", 10**6),
    ],
)
def test_cpu_is_read_in_thousandths_and_never_rounded_down(written: Any, millis: Any) -> None:
    assert parse_cpu_millis(written) == millis


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("1Gi", 2**30),
        ("1G", 10**9),
        ("512Mi", 512 * 2**20),
        ("1.5Ki", 1536),
        ("100", 100),
        ("12e3", 12000),
        ("1m", 1),
        ("1E", 10**18),
    ],
)
def test_bytes_understand_binary_and_decimal_suffixes(written: Any, amount: Any) -> None:
    assert parse_bytes(written) == amount


@pytest.mark.parametrize(
    "written",
    ["-1", "abc", "", "1Xi", "1 Gi", "Gi", "1e", "1e400", "NaN", float("inf"), float("nan"), -1, True, None, "9Ei"],
)
def test_what_kubernetes_refuses_is_refused_with_its_field(written: Any) -> None:
    with pytest.raises(InvalidSetting) as refused:
        parse_bytes(written, field="resources.memory")
    assert refused.value.field == "resources.memory"
    assert "resources.memory" in str(refused.value)


@given(st.integers(min_value=0, max_value=2**62))
def test_formatted_bytes_read_back_the_same(amount: Any) -> None:
    assert parse_bytes(format_bytes(amount)) == amount


@given(st.integers(min_value=0, max_value=10**9))
def test_formatted_cpu_reads_back_the_same(millis: Any) -> None:
    assert parse_cpu_millis(format_cpu_millis(millis)) == millis
