"""What operators give on the command line and read there: cpu, memory, priority, and counts by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import rich_click as click
from click import Context, Parameter, ParamType

from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.quantities import format_bytes, parse_bytes, parse_cpu_millis

PRIORITIES: Final[Mapping[str, int]] = {"min": 0, "medium": 500, "max": 1000}
#: Greatest number that a count can carry on its way.
GREATEST_COUNT: Final = 2**32 - 1


class CpuType(ParamType[int]):
    """A cpu quantity such as 2, 0.5 or 500m; becomes thousandths of a core."""

    name = "cpu"

    def convert(self, value: object, param: Parameter | None, ctx: Context | None) -> int:
        """See click."""
        if isinstance(value, int):
            return value
        try:
            return parse_cpu_millis(str(value))
        except (InvalidSetting, InvalidSettingType) as error:
            self.fail(str(error), param, ctx)


class MemoryType(ParamType[int]):
    """A memory quantity such as 512Mi or 8Gi; becomes bytes."""

    name = "memory"

    def convert(self, value: object, param: Parameter | None, ctx: Context | None) -> int:
        """See click."""
        if isinstance(value, int):
            return value
        try:
            return parse_bytes(str(value))
        except (InvalidSetting, InvalidSettingType) as error:
            self.fail(str(error), param, ctx)


class PriorityType(ParamType[int]):
    """min, medium, max or a number from 0 to 1000."""

    name = "min|medium|max|N"

    def convert(self, value: object, param: Parameter | None, ctx: Context | None) -> int:
        """See click."""
        word = str(value).strip().lower()
        number = PRIORITIES.get(word, int(word) if word.isdecimal() else -1)
        if not PRIORITIES["min"] <= number <= PRIORITIES["max"]:
            self.fail(f"{value!r} is no priority: use min, medium, max or a number from 0 to 1000.", param, ctx)
        return number


CPU: Final = CpuType()
MEMORY: Final = MemoryType()
PRIORITY: Final = PriorityType()
COUNT: Final = click.IntRange(min=0, max=GREATEST_COUNT)


def memory_text(amount: int) -> str:
    """Return an amount of memory for people: exact where that is short, else to a tenth of a GiB."""
    exact = format_bytes(amount)
    return exact if len(exact) <= len("1023Mi") else f"{amount / 2**30:.1f}Gi"


def counts(texts: Mapping[str, str], *, option: str) -> dict[str, int]:
    """Return the counts of KEY=N assignments. Raises BadParameter for a count that is not a number of at least 1."""
    found = {}
    for key, text in texts.items():
        if not text.isdecimal() or not 0 < int(text) <= GREATEST_COUNT:
            raise click.BadParameter(f"{key}={text}: {text!r} is no number of at least 1", param_hint=option)
        found[key] = int(text)
    return found
