"""When triggers fire: cron expressions over changes of clocks, fixed rates, and catching up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyteplane.admin.domain.schedule import CronSchedule, FixedRateSchedule, Schedule, ScheduleError
from flyteplane.admin.domain.trigger import CatchUp, times_to_fire

MINUTE_US = 60_000_000


def us(text: str) -> int:
    """Microseconds of a time in UTC."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )


def texts(times: list[int]) -> list[str]:
    """Times in UTC, to the minute."""
    return [f"{datetime.fromtimestamp(time / 1e6, UTC):%m-%d %H:%M}" for time in times]


def following(schedule: Schedule, start: str, count: int) -> list[str]:
    """The next times."""
    times = [schedule.after(us(start))]
    while len(times) < count:
        times.append(schedule.after(times[-1]))
    return texts(times)


def test_a_time_that_does_not_exist_fires_at_the_first_moment_after_the_gap() -> None:
    daily = CronSchedule("30 2 * * *", "Europe/Berlin")
    assert following(daily, "2026-03-28T12:00", 2) == ["03-29 01:00", "03-30 00:30"]


def test_a_time_that_exists_twice_fires_once() -> None:
    daily = CronSchedule("30 2 * * *", "Europe/Berlin")
    assert following(daily, "2026-10-24T12:00", 2) == ["10-25 00:30", "10-26 01:30"]


def test_every_half_hour_follows_the_elapsed_time_when_clocks_change() -> None:
    often = CronSchedule("*/30 * * * *", "Europe/Berlin")
    assert following(often, "2026-03-29T00:45", 3) == ["03-29 01:00", "03-29 01:30", "03-29 02:00"]
    assert following(often, "2026-10-25T00:15", 4) == ["10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"]


def test_a_cron_with_a_name_stands_for_its_fields() -> None:
    assert following(CronSchedule("@hourly", "UTC"), "2026-01-01T00:30", 2) == ["01-01 01:00", "01-01 02:00"]


@pytest.mark.parametrize("expression", ["0 0 30 2 *", "99 * * * *", "", "* * * *"])
def test_an_expression_that_names_no_time_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError, match="names no time"):
        CronSchedule(expression, "UTC")


def test_a_fixed_rate_counts_from_its_anchor() -> None:
    rate = FixedRateSchedule(90 * MINUTE_US, us("2026-01-01T00:10"))
    assert following(rate, "2025-12-31T00:00", 3) == ["01-01 00:10", "01-01 01:40", "01-01 03:10"]


schedules = st.one_of(
    st.sampled_from(["* * * * *", "*/7 * * * *", "30 2 * * *", "0 9 * * 1-5", "15 3 1 * *"]).flatmap(
        lambda text: st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]).map(
            lambda zone: CronSchedule(text, zone)
        )
    ),
    st.integers(1, 5000).map(lambda minutes: FixedRateSchedule(minutes * MINUTE_US, us("2025-06-01T00:00"))),
)
moments = st.integers(us("2026-01-01T00:00"), us("2026-12-31T00:00"))


@given(schedules, moments)
def test_looking_back_sees_the_same_times_as_looking_ahead(schedule: Schedule, moment: int) -> None:
    ahead = schedule.after(moment)
    assert ahead > moment
    back = list(islice(schedule.until(ahead), 2))
    assert back[0] == ahead
    assert back[1] <= moment
    assert schedule.after(back[1]) == ahead


EVERY_MINUTE = CronSchedule("* * * * *", "UTC")
NOON = us("2026-01-01T12:00")


@pytest.mark.parametrize(
    ("catch_up", "most", "expected"),
    [
        (CatchUp.LAST, 100, ["01-01 12:00"]),
        (CatchUp.SKIP, 100, ["01-01 12:00"]),
        (CatchUp.ALL, 3, ["01-01 11:58", "01-01 11:59", "01-01 12:00"]),
        (CatchUp.ALL, 100, ["01-01 11:56", "01-01 11:57", "01-01 11:58", "01-01 11:59", "01-01 12:00"]),
    ],
)
def test_times_that_passed_are_caught_up_as_asked(catch_up: CatchUp, most: int, expected: list[str]) -> None:
    until = us("2026-01-01T11:55")
    times = times_to_fire(EVERY_MINUTE, fired_until_us=until, now_us=NOON + 1000, catch_up=catch_up, most=most)
    assert texts(list(times)) == expected


def test_what_is_long_past_is_skipped_if_asked_for() -> None:
    daily = CronSchedule("0 6 * * *", "UTC")
    until = us("2025-12-24T12:00")
    skipped = times_to_fire(daily, fired_until_us=until, now_us=NOON, catch_up=CatchUp.SKIP, most=9)
    last = times_to_fire(daily, fired_until_us=until, now_us=NOON, catch_up=CatchUp.LAST, most=9)
    assert (list(skipped), texts(list(last))) == ([], ["01-01 06:00"])


def test_a_year_of_minutes_costs_no_more_than_what_is_caught_up() -> None:
    long_ago = us("2020-01-01T00:00")
    times = times_to_fire(EVERY_MINUTE, fired_until_us=long_ago, now_us=NOON, catch_up=CatchUp.ALL, most=2)
    assert texts(list(times)) == ["01-01 11:59", "01-01 12:00"]
