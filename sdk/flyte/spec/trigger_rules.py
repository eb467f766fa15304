"""Which schedules can be kept: checked when a task is deployed, and again by admin, which owns the times of fire."""

from __future__ import annotations

import re
from typing import Final

from flyte.spec.limits import MAX_DURATION_S
from flyte.spec.names import NameKind, check_name
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.triggers import Cron, FixedRate, Trigger

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
