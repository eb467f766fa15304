"""The settings of a run as controls, named as the platform names the fields when it refuses one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.console.launch.state import FormState

NAME: Final = "run.name"
_QUEUE: Final = "settings.queue"
_LABELS: Final = "settings.labels"
_ENV: Final = "settings.env"
_OVERWRITE: Final = "settings.overwrite_cache"
_DISABLE: Final = "settings.disable_cache"
_CONCURRENCY: Final = "settings.max_action_concurrency"
FIELDS: Final = (NAME, _QUEUE, _LABELS, _ENV, _OVERWRITE, _DISABLE, _CONCURRENCY)
_MOST_AT_ONCE: Final = 2**32 - 1


def shown_settings(settings: RunSettings) -> FormState:
    """What the controls hold to say these settings."""
    values: dict[str, tuple[str, ...]] = {
        _QUEUE: (settings.queue,),
        _LABELS: (_lines(settings.labels),),
        _ENV: (_lines(settings.env),),
        _CONCURRENCY: (str(settings.max_action_concurrency or ""),),
    }
    if settings.overwrite_cache:
        values[_OVERWRITE] = ("true",)
    if settings.disable_cache:
        values[_DISABLE] = ("true",)
    return FormState(values)


def read_settings(state: FormState, *, base: RunSettings) -> tuple[RunSettings, dict[str, str]]:
    """The settings that a post means, laid over `base`, and what has to be mended, by control."""
    problems: dict[str, str] = {}
    settings = RunSettings()
    settings.CopyFrom(base)
    for field in ("labels", "env", "recover_from", "force_actions", "trace_parent"):
        settings.ClearField(field)
    settings.queue = state.text(_QUEUE).strip()
    settings.overwrite_cache = state.has(_OVERWRITE)
    settings.disable_cache = state.has(_DISABLE)
    settings.labels.update(_pairs(state, _LABELS, problems))
    settings.env.update(_pairs(state, _ENV, problems))
    settings.max_action_concurrency = _count(state.text(_CONCURRENCY).strip(), problems)
    return settings, problems


def control_of(field: str) -> str:
    """The control of a field of a request that the platform refused; empty if there is none."""
    return next((name for name in FIELDS if field == name or field.startswith((f"{name}.", f"{name}["))), "")


def _lines(pairs: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={value}" for key, value in sorted(pairs.items()))


def _pairs(state: FormState, name: str, problems: dict[str, str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for line in filter(str.strip, state.text(name).splitlines()):
        key, separator, value = line.partition("=")
        key = key.strip()
        if not separator or not key:
            problems[name] = f"{line[:60]!r}: write KEY=VALUE, one in a line."
        elif key in pairs:
            problems[name] = f"{key[:60]!r} is there twice."
        pairs[key] = value.strip() if name == _LABELS else value
    return pairs


def _count(text: str, problems: dict[str, str]) -> int:
    if not text:
        return 0
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) > _MOST_AT_ONCE:
        problems[_CONCURRENCY] = "Give a whole number, or nothing for no limit."
        return 0
    return int(text)
