"""Three levels of configuration, resolved.

A task's settings come from its environment, from the decorator and from an override, the more specific winning; around
them are the platform's defaults below and the run's own settings. Values replace and never merge. Every resolved
setting knows the level that it came from, so that it can be shown to the user.

`PARAMETERS` is the whole law as a table: which parameter has which spellings, at which levels it can be given, and
which of them are fixed while containers are reused. `canonical` and `refuse_fixed_while_reused` apply it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Generic, NoReturn, TypeVar

from flyte.spec.not_given import is_given
from flyte.spec.problems import InvalidSetting, InvalidSettingType

T = TypeVar("T")


class Level(IntEnum):
    """Where a setting came from, from the most general to the most specific."""

    DEFAULT = 0
    TRIGGER = 1
    RUN = 2
    ENVIRONMENT = 3
    DECORATOR = 4
    OVERRIDE = 5

    @property
    def label(self) -> str:
        """The level as it is shown: "default", "trigger", "run", "environment", "decorator" or "override"."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Resolved(Generic[T]):
    """A setting with the level that it came from."""

    value: T
    level: Level = Level.DEFAULT


@dataclass(frozen=True, slots=True)
class Parameter:
    """One line of the table of parameters."""

    name: str
    spellings: tuple[str, ...] = ()
    """Other names of the same parameter."""
    environment: bool = False
    decorator: bool = False
    override: bool = False
    fixed_while_reused: bool = False
    """Whether warm containers are made with it, so that it cannot change unless reuse is switched off."""
    shown_as: str | None = None
    """The name in messages about reuse, where it differs."""

    def allowed_at(self, level: Level) -> bool:
        """Tell whether the parameter can be given at a level."""
        return {
            Level.ENVIRONMENT: self.environment,
            Level.DECORATOR: self.decorator,
            Level.OVERRIDE: self.override,
        }.get(level, False)


PARAMETERS: Final[tuple[Parameter, ...]] = (
    Parameter("short_name", ("name",), decorator=True, override=True),
    Parameter("image", environment=True),
    Parameter("resources", environment=True, decorator=True, override=True, fixed_while_reused=True),
    Parameter("env_vars", ("env",), environment=True, override=True, fixed_while_reused=True, shown_as="env"),
    Parameter("secrets", environment=True, decorator=True, override=True, fixed_while_reused=True),
    Parameter("service_account", environment=True, decorator=True, override=True, fixed_while_reused=True),
    Parameter("cache", environment=True, decorator=True, override=True),
    Parameter("pod_template", environment=True, decorator=True, fixed_while_reused=True),
    Parameter("reusable", environment=True, override=True),
    Parameter("queue", ("task_queue",), environment=True, decorator=True, override=True),
    Parameter("interruptible", environment=True, decorator=True, override=True),
    Parameter("plugin_config", environment=True),
    Parameter("include", environment=True),
    Parameter("depends_on", environment=True),
    Parameter("description", environment=True),
    Parameter("report", decorator=True),
    Parameter("max_inline_io_bytes", decorator=True, override=True),
    Parameter("retries", decorator=True, override=True),
    Parameter("timeout", decorator=True, override=True),
    Parameter("docs", decorator=True),
    Parameter("triggers", decorator=True),
    Parameter("links", decorator=True, override=True),
    Parameter("task_resolver", decorator=True),
    Parameter("entrypoint", decorator=True, override=True),
    Parameter("produces_artifacts", decorator=True, override=True),
)

BY_NAME: Final[dict[str, Parameter]] = {parameter.name: parameter for parameter in PARAMETERS}

_NAME_OF: Final[dict[str, str]] = {
    spelling: parameter.name for parameter in PARAMETERS for spelling in (parameter.name, *parameter.spellings)
}

_LEVEL_CALLS: Final = {
    Level.ENVIRONMENT: "the TaskEnvironment",
    Level.DECORATOR: "@env.task",
    Level.OVERRIDE: "task.override()",
}


def canonical(given: Mapping[str, object], *, level: Level) -> dict[str, object]:
    """Return what is given at a level, under the canonical names, leaving out what is not given.

    `given` maps accepted spellings to their values. Raises KeyError for an unknown one, and InvalidSettingType when two
    spellings of one parameter are given, because nothing says which of them is meant.
    """
    found: dict[str, object] = {}
    for spelling, value in given.items():
        if not is_given(value):
            continue
        name = _NAME_OF[spelling]
        if name in found:
            _refuse_two_spellings(BY_NAME[name], given, level)
        found[name] = value
    return found


def _refuse_two_spellings(parameter: Parameter, given: Mapping[str, object], level: Level) -> NoReturn:
    spellings = [name for name in (parameter.name, *parameter.spellings) if is_given(given.get(name))]
    raise InvalidSettingType(
        f"{' and '.join(spellings)} are two spellings of one parameter of {_LEVEL_CALLS[level]}. "
        "Give only one of them.",
        field=parameter.name,
    )


def refuse_override(name: str) -> None:
    """Raise InvalidSetting if a known parameter cannot be changed by an override; say where it can be given."""
    parameter = BY_NAME.get(name)
    if name in ("name", "image", "docs", "interface"):
        raise InvalidSetting(f"{name.capitalize()} cannot be overridden", field=name)
    if parameter is not None and not parameter.override:
        places = [call for level, call in _LEVEL_CALLS.items() if parameter.allowed_at(level)]
        raise InvalidSetting(f"{name} cannot be overridden. Set it in {' or '.join(places)}.", field=name)


def refuse_fixed_while_reused(given: Mapping[str, object], *, level: Level) -> None:
    """Raise InvalidSetting if warm containers are reused and something that they are made with would change."""
    for name in given:
        parameter = BY_NAME[name]
        if not parameter.fixed_while_reused:
            continue
        shown = parameter.shown_as or name
        if level is Level.OVERRIDE:
            raise InvalidSetting(
                f"Cannot override {shown} when reusable is set. Reusable tasks will use the parent env's {shown}. "
                f"You can disable reusability and override {shown} if needed. (set reusable='off')",
                field=name,
            )
        verb = "set" if name == "pod_template" else "override"
        raise InvalidSetting(f"Cannot {verb} {shown} when environment is reusable.", field=name)
