"""Reuse, retries, back-off and timeouts."""

import pickle
from datetime import timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.retries import Backoff, RetryStrategy, normalise_retries
from flyte.spec.reuse import ReusePolicy
from flyte.spec.timeouts import Timeout, TimeoutBounds, timeout_bounds


def test_a_reuse_policy_reads_counts_and_times_in_both_forms() -> None:
    policy = ReusePolicy(replicas=(1, 3), idle_ttl=timedelta(minutes=5), scaledown_ttl=60)
    assert (policy.min_replicas, policy.max_replicas) == (1, 3)
    assert (policy.idle_ttl_s, policy.scaledown_ttl_s) == (300, 60)
    assert policy.get_scaledown_ttl() == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"replicas": None}, "replicas cannot be None"),
        ({"replicas": (3, 1)}, "replicas min (3) must be less than or equal to max (1)"),
        ({"replicas": 10**6}, "replicas max must be at most 10000, got 1000000"),
        ({"concurrency": 0}, "concurrency must be at least 1, got 0"),
        ({"idle_ttl": 29}, "idle_ttl must be at least 30 seconds"),
        ({"idle_ttl": "60"}, "idle_ttl must be an int (seconds) or a timedelta"),
        ({"idle_ttl": timedelta(days=4000)}, "idle_ttl must be at most 31622400 seconds"),
        ({"scope": "pod"}, 'scope must be "global" or "run", got \'pod\''),
    ],
)
def test_a_reuse_policy_that_cannot_be_kept_is_refused(arguments: Any, message: Any) -> None:
    with pytest.raises(InvalidSetting) as refused:
        ReusePolicy(**arguments)
    assert str(refused.value) == message


def test_zero_retries_are_a_strategy() -> None:
    assert normalise_retries(0) == RetryStrategy(0)
    assert normalise_retries(RetryStrategy(2)) == RetryStrategy(2)
    with pytest.raises(InvalidSetting):
        normalise_retries(-1)


def test_growth_without_a_cap_is_refused() -> None:
    with pytest.raises(ValueError, match="cap is required"):
        Backoff(base=timedelta(seconds=1), factor=2.0)


@pytest.mark.parametrize("factor", [0.5, float("inf"), float("nan")])
def test_a_factor_below_one_or_infinite_is_refused(factor: Any) -> None:
    with pytest.raises(InvalidSetting):
        Backoff(base=timedelta(seconds=1), factor=factor, cap=timedelta(seconds=2))


@given(
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(hours=1)),
    st.floats(min_value=1.0, max_value=100.0),
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1)),
    st.integers(min_value=0, max_value=100_000),
)
def test_delays_grow_and_never_pass_the_cap(base: Any, factor: Any, cap: Any, retry: Any) -> None:
    backoff = Backoff(base=base, factor=factor, cap=cap)
    assert backoff.compute_delay(retry) <= backoff.compute_delay(retry + 1) <= cap


@pytest.mark.parametrize(
    ("timeout", "bounds"),
    [
        (0, TimeoutBounds()),
        (30, TimeoutBounds(max_runtime_s=30)),
        (timedelta(minutes=1), TimeoutBounds(max_runtime_s=60)),
        (
            Timeout(max_runtime=1, max_queued_time=timedelta(seconds=2), deadline=3),
            TimeoutBounds(max_runtime_s=1, max_queued_time_s=2, deadline_s=3),
        ),
        (Timeout(deadline=0), TimeoutBounds()),
    ],
)
def test_timeouts_are_read_in_seconds_and_zero_is_no_bound(timeout: Any, bounds: Any) -> None:
    assert timeout_bounds(timeout) == bounds


@pytest.mark.parametrize("timeout", [-5, Timeout(max_runtime=-1), Timeout(deadline=timedelta(days=10_000))])
def test_a_time_that_cannot_be_kept_is_refused(timeout: Any) -> None:
    with pytest.raises(InvalidSetting):
        timeout_bounds(timeout)


@pytest.mark.parametrize("timeout", ["30", None, True, Timeout(max_runtime=cast(Any, "x"))])
def test_something_that_is_no_time_is_refused(timeout: Any) -> None:
    with pytest.raises(InvalidSettingType):
        timeout_bounds(timeout)


def test_refusals_keep_their_field_when_they_cross_processes() -> None:
    refusal = pickle.loads(pickle.dumps(InvalidSetting("no", field="retries")))
    assert (str(refusal), refusal.field) == ("no", "retries")
