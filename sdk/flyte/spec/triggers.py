"""When a deployed task starts by itself.

A trigger binds a schedule to a task. Schedules are kept as written, and read strictly at deployment: see
`trigger_rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, TypeAlias

from flyte.spec.problems import InvalidSetting


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


def _short_repr(value: Any, *, positional: tuple[str, ...]) -> str:
    shown = [repr(getattr(value, name)) for name in positional]
    for spec in fields(value):
        current = getattr(value, spec.name)
        if spec.name not in positional and current != spec.default:
            shown.append(f"{spec.name}={current!r}")
    return f"{type(value).__name__}({', '.join(shown)})"
