"""When a deployed task starts by itself.

A trigger binds a schedule to a task. Schedules are kept as written; `check_automation` is the strict reading, made at
deployment here and again by admin, which owns the times of fire.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, TypeAlias

from flyte.spec.limits import MAX_DURATION_S
from flyte.spec.names import NameKind, check_name
from flyte.spec.problems import InvalidSetting, InvalidSettingType


class _TriggerTime:
    """The type of `TriggerTime`."""

    def __repr__(self) -> str:
        return "TriggerTime"

    def __reduce__(self) -> str:
        return "TriggerTime"


TriggerTime: Final = _TriggerTime()
"""As the value of an input of a trigger: the time of fire, in UTC."""


@dataclass(frozen=True, slots=True, repr=False)
class Cron:
    """A cron expression of five fields, read in a time zone."""

    expression: str
    timezone: str = "UTC"

    def __repr__(self) -> str:
        return _short_repr(self, positional=("expression",))

    @property
    def timezone_expression(self) -> str:
        """The expression with its zone in front, as cron daemons write it."""
        return self.expression if self.timezone == "UTC" else f"CRON_TZ={self.timezone} {self.expression}"


@dataclass(frozen=True, slots=True, repr=False)
class FixedRate:
    """Every so many minutes, counted from `start_time`, or from the activation of the trigger."""

    interval_minutes: int
    start_time: datetime | None = None

    def __repr__(self) -> str:
        return _short_repr(self, positional=("interval_minutes",))


Automation: TypeAlias = Cron | FixedRate


@dataclass(frozen=True, slots=True, repr=False)
class Trigger:
    """A schedule of a task, with what its runs are given.

    - `automation`: when; None for a trigger that is only fired by hand.
    - `auto_activate`: whether deploying the task also activates the trigger.
    - `inputs`: inputs of the task; `TriggerTime` stands for the time of fire.
    - everything else is a setting of the runs that it starts.

    Raises InvalidSetting, a ValueError, for an empty name.
    """

    name: str
    automation: Automation | None = None
    description: str = ""
    auto_activate: bool = True
    inputs: dict[str, Any] | None = None
    env_vars: dict[str, str] | None = None
    interruptible: bool | None = None
    overwrite_cache: bool = False
    queue: str | None = None
    max_action_concurrency: int | None = None
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None
    notifications: Any = None
    custom_context: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise InvalidSetting("Trigger name cannot be empty", field="triggers.name")
        if self.notifications is not None:
            from flyte.spec.notification_kinds import checked_notifications

            checked_notifications(self.notifications, field="triggers.notifications")

    def __repr__(self) -> str:
        return _short_repr(self, positional=("name",))

    @classmethod
    def minutely(
        cls,
        trigger_time_input_key: str | None = None,
        *,
        name: str = "minutely",
        description: str = "A trigger that runs every minute",
        auto_activate: bool = True,
        inputs: dict[str, Any] | None = None,
        env_vars: dict[str, str] | None = None,
        interruptible: bool | None = None,
        overwrite_cache: bool = False,
        queue: str | None = None,
        max_action_concurrency: int | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        notifications: Any = None,
        custom_context: Mapping[str, str] | None = None,
        timezone: str = "UTC",
    ) -> Trigger:
        """Make a trigger that fires every minute.

        `trigger_time_input_key` names the input that is given the time.
        """
        return _scheduled(cls, "* * * * *", locals())

    @classmethod
    def hourly(
        cls,
        trigger_time_input_key: str | None = None,
        *,
        name: str = "hourly",
        description: str = "A trigger that runs every hour",
        auto_activate: bool = True,
        inputs: dict[str, Any] | None = None,
        env_vars: dict[str, str] | None = None,
        interruptible: bool | None = None,
        overwrite_cache: bool = False,
        queue: str | None = None,
        max_action_concurrency: int | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        notifications: Any = None,
        custom_context: Mapping[str, str] | None = None,
        timezone: str = "UTC",
    ) -> Trigger:
        """Make a trigger that fires at the start of every hour.

        `trigger_time_input_key` names the input that is given the time.
        """
        return _scheduled(cls, "0 * * * *", locals())

    @classmethod
    def daily(
        cls,
        trigger_time_input_key: str | None = None,
        *,
        name: str = "daily",
        description: str = "A trigger that runs daily at midnight",
        auto_activate: bool = True,
        inputs: dict[str, Any] | None = None,
        env_vars: dict[str, str] | None = None,
        interruptible: bool | None = None,
        overwrite_cache: bool = False,
        queue: str | None = None,
        max_action_concurrency: int | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        notifications: Any = None,
        custom_context: Mapping[str, str] | None = None,
        timezone: str = "UTC",
    ) -> Trigger:
        """Make a trigger that fires at midnight.

        `trigger_time_input_key` names the input that is given the time.
        """
        return _scheduled(cls, "0 0 * * *", locals())

    @classmethod
    def weekly(
        cls,
        trigger_time_input_key: str | None = None,
        *,
        name: str = "weekly",
        description: str = "A trigger that runs weekly on Sundays at midnight",
        auto_activate: bool = True,
        inputs: dict[str, Any] | None = None,
        env_vars: dict[str, str] | None = None,
        interruptible: bool | None = None,
        overwrite_cache: bool = False,
        queue: str | None = None,
        max_action_concurrency: int | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        notifications: Any = None,
        custom_context: Mapping[str, str] | None = None,
        timezone: str = "UTC",
    ) -> Trigger:
        """Make a trigger that fires on Sundays at midnight.

        `trigger_time_input_key` names the input that is given the time.
        """
        return _scheduled(cls, "0 0 * * 0", locals())

    @classmethod
    def monthly(
        cls,
        trigger_time_input_key: str | None = None,
        *,
        name: str = "monthly",
        description: str = "A trigger that runs monthly on the 1st at midnight",
        auto_activate: bool = True,
        inputs: dict[str, Any] | None = None,
        env_vars: dict[str, str] | None = None,
        interruptible: bool | None = None,
        overwrite_cache: bool = False,
        queue: str | None = None,
        max_action_concurrency: int | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        notifications: Any = None,
        custom_context: Mapping[str, str] | None = None,
        timezone: str = "UTC",
    ) -> Trigger:
        """Make a trigger that fires on the first of a month at midnight.

        `trigger_time_input_key` names the input that is given the time.
        """
        return _scheduled(cls, "0 0 1 * *", locals())


def _scheduled(cls: type[Trigger], expression: str, given: dict[str, Any]) -> Trigger:
    settings = {name: value for name, value in given.items() if name != "cls"}
    automation = Cron(expression, timezone=settings.pop("timezone"))
    inputs = dict(settings.pop("inputs") or {})
    time_input = settings.pop("trigger_time_input_key")
    if time_input is not None:
        inputs[time_input] = TriggerTime
    return cls(automation=automation, inputs=inputs, **settings)


_CRON_MACROS: Final = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_CRON_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12))
_CRON_FIELD: Final = re.compile(r"\A[0-9A-Za-z*?,/#LW-]+\Z")


def check_automation(automation: object, *, field: str = "triggers.automation") -> None:
    """Raise InvalidSetting for a schedule that could never be kept: a malformed cron, zone or interval."""
    if automation is None:
        return
    if isinstance(automation, Cron):
        _check_cron(automation, field)
    elif isinstance(automation, FixedRate):
        _check_rate(automation, field)
    else:
        raise InvalidSettingType(f"{field} must be a Cron or a FixedRate, got {type(automation)}", field=field)


def check_trigger(trigger: Trigger) -> None:
    """Raise InvalidSetting for a trigger that admin would refuse."""
    check_name(trigger.name, kind=NameKind.TRIGGER, field="triggers.name")
    check_automation(trigger.automation)
    if trigger.queue is not None:
        check_name(trigger.queue, kind=NameKind.QUEUE, field="triggers.queue")


def _check_cron(cron: Cron, field: str) -> None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    parts = cron.expression.split()
    well_formed = len(parts) == 5 and all(map(_CRON_FIELD.match, parts)) and _numbers_in_range(parts)
    if not well_formed and cron.expression not in _CRON_MACROS:
        raise InvalidSetting(
            f"{field}: {cron.expression!r} is not a cron expression. Write five fields (minute, hour, day of month, "
            "month, day of week), such as '0 6 * * 1'.",
            field=field,
        )
    try:
        ZoneInfo(cron.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidSetting(
            f"{field}: there is no time zone {cron.timezone!r}. Write an IANA name such as 'Europe/Berlin'.",
            field=field,
        ) from error


def _numbers_in_range(parts: list[str]) -> bool:
    ranges = (*_CRON_FIELDS, ("day of week", 0, 7))
    for part, (_, least, most) in zip(parts, ranges, strict=True):
        values = re.sub(r"[/#][0-9]+", "", part)
        if any(not least <= int(number) <= most for number in re.findall(r"[0-9]+", values)):
            return False
        if re.search(r"/0+(?![0-9])", part):
            return False
    return True


def _check_rate(rate: FixedRate, field: str) -> None:
    minutes = rate.interval_minutes
    if isinstance(minutes, bool) or not isinstance(minutes, int) or not 1 <= minutes * 60 <= MAX_DURATION_S:
        raise InvalidSetting(
            f"{field}: interval_minutes must be an int from 1 to {MAX_DURATION_S // 60}, got {minutes!r}", field=field
        )


def _short_repr(value: Any, *, positional: tuple[str, ...]) -> str:
    shown = [repr(getattr(value, name)) for name in positional]
    for spec in fields(value):
        current = getattr(value, spec.name)
        if spec.name not in positional and current != spec.default:
            shown.append(f"{spec.name}={current!r}")
    return f"{type(value).__name__}({', '.join(shown)})"
