"""All settings of one task, each with the level that it came from.

`TaskSettings` is what a task carries, what an override copies and what its spec is made of, levels included, which
`--explain` shows. It keeps values as the user wrote them, except for retries and cache, which are normalised at once;
`flyte.spec.check` is the strict reading.
"""

from __future__ import annotations

# ruff: noqa: RUF009 -- a Resolved is frozen, so that one may stand for the default of all.
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final

from flyte.spec.cache import Cache, normalise_cache
from flyte.spec.documentation import Documentation
from flyte.spec.limits import MAX_INLINE_IO_BYTES
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.resolve import Level, Resolved, refuse_fixed_while_reused
from flyte.spec.resources import Resources
from flyte.spec.retries import RetryStrategy, normalise_retries

if TYPE_CHECKING:
    from flyte.spec.image import Image
    from flyte.spec.pod_template import PodTemplateRequest
    from flyte.spec.reuse import ReusePolicy
    from flyte.spec.secrets import SecretRequest
    from flyte.spec.timeouts import TimeoutType
    from flyte.spec.triggers import Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """The resolved settings of one task."""

    short_name: Resolved[str] = Resolved("")
    image: Resolved[str | Image | None] = Resolved("auto")
    resources: Resolved[Resources | None] = Resolved(None)
    env_vars: Resolved[dict[str, str] | None] = Resolved(None)
    secrets: Resolved[SecretRequest | None] = Resolved(None)
    service_account: Resolved[str | None] = Resolved(None)
    cache: Resolved[Cache] = field(default_factory=lambda: Resolved(normalise_cache("disable")))
    pod_template: Resolved[PodTemplateRequest | None] = Resolved(None)
    reusable: Resolved[ReusePolicy | None] = Resolved(None)
    queue: Resolved[str | None] = Resolved(None)
    interruptible: Resolved[bool] = Resolved(False)
    plugin_config: Resolved[Any] = Resolved(None)
    report: Resolved[bool] = Resolved(False)
    max_inline_io_bytes: Resolved[int] = Resolved(MAX_INLINE_IO_BYTES)
    retries: Resolved[RetryStrategy] = Resolved(RetryStrategy(0))
    timeout: Resolved[TimeoutType] = Resolved(0)
    docs: Resolved[Documentation | str | None] = Resolved(None)
    triggers: Resolved[tuple[Trigger, ...]] = Resolved(())
    links: Resolved[tuple[Any, ...]] = Resolved(())
    task_resolver: Resolved[Any] = Resolved(None)
    entrypoint: Resolved[bool] = Resolved(False)
    produces_artifacts: Resolved[bool] = Resolved(False)

    def with_level(self, given: Mapping[str, object], *, level: Level) -> TaskSettings:
        """Return the settings after a more specific level says what is given, under canonical names.

        Raises InvalidSetting or InvalidSettingType for a value that is not one, and for anything that would change
        a container which is reused.
        """
        values = {name: normalise(name, value) for name, value in given.items()}
        reusable = values.get("reusable", self.reusable.value)
        if reusable is not None and level in (Level.DECORATOR, Level.OVERRIDE):
            refuse_fixed_while_reused(values, level=level)
        changes: dict[str, Any] = {name: Resolved(value, level) for name, value in values.items()}
        return replace(self, **changes)

    def ignored_inputs(self, inputs: Collection[str]) -> tuple[str, ...]:
        """Return the inputs of a task that do not count for its cached results.

        An environment names those of all its tasks, of which each has some. Raises InvalidSetting for a name that the
        task's own cache gives and that is no input.
        """
        names = self.cache.value.get_ignored_inputs()
        unknown = [name for name in names if name not in inputs]
        if unknown and self.cache.level is not Level.ENVIRONMENT:
            raise InvalidSetting(
                f"cache.ignored_inputs names {', '.join(unknown)}, which is no input of the task. "
                f"Its inputs are: {', '.join(inputs) or 'none'}.",
                field="cache.ignored_inputs",
            )
        return tuple(name for name in names if name in inputs)

    def items(self) -> Iterator[tuple[str, Resolved[Any]]]:
        """Iterate over the names and resolved values of all settings."""
        for spec in fields(self):
            yield spec.name, getattr(self, spec.name)


def normalise(name: str, value: object) -> object:
    """Return the value of a parameter as a task keeps it, or raise InvalidSetting or InvalidSettingType."""
    return _NORMALISERS.get(name, _keep)(value)


def _keep(value: object) -> object:
    return value


def _reusable(value: object) -> object:
    if value == "off":
        return None
    from flyte.spec.reuse import ReusePolicy

    if isinstance(value, ReusePolicy):
        return value
    raise InvalidSettingType(
        f"Expected reusable to be of type ReusePolicy or the text 'off', got {value!r}", field="reusable"
    )


def _secrets(value: object) -> object:
    # Most tasks have none, and pods start sooner without it.
    from flyte.spec.secrets import check_secret_request

    check_secret_request(value)
    return value


def _pod_template(value: object) -> object:
    from flyte.spec.pod_template import check_pod_template_request

    check_pod_template_request(value)
    return value


def _instance_of(name: str, kind: type, label: str) -> Callable[[object], object]:
    def keep(value: object) -> object:
        if not isinstance(value, kind):
            raise InvalidSettingType(f"Expected {name} to be of type {label}, got {type(value)}", field=name)
        return value

    return keep


def _max_inline_io_bytes(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidSettingType(
            f"Expected max_inline_io_bytes to be of type int, got {type(value)}", field="max_inline_io_bytes"
        )
    if value < 0:
        raise InvalidSetting(
            f"max_inline_io_bytes must be greater than or equal to 0, got {value}", field="max_inline_io_bytes"
        )
    return value


def _triggers(value: object) -> tuple[Trigger, ...]:
    from flyte.spec.triggers import Trigger

    triggers = (value,) if isinstance(value, Trigger) else value
    if not isinstance(triggers, tuple | list) or not all(isinstance(trigger, Trigger) for trigger in triggers):
        raise InvalidSettingType(
            f"Expected triggers to be a Trigger or a tuple of them, got {value!r}", field="triggers"
        )
    return tuple(triggers)


def _links(value: object) -> tuple[object, ...]:
    links: tuple[object, ...] = tuple(value) if isinstance(value, tuple | list) else (value,)
    for link in links:
        if not callable(getattr(link, "get_link", None)):
            raise InvalidSettingType(f"Expected links to be flyte.Link objects, got {link!r}", field="links")
    return links


_NORMALISERS: Final[dict[str, Callable[[object], object]]] = {
    "retries": normalise_retries,
    "cache": normalise_cache,
    "reusable": _reusable,
    "secrets": _secrets,
    "pod_template": _pod_template,
    "resources": _instance_of("resources", Resources, "Resources"),
    "env_vars": _instance_of("env_vars", dict, "Dict[str, str]"),
    "service_account": _instance_of("service_account", str, "str"),
    "queue": _instance_of("queue", str, "str"),
    "short_name": _instance_of("short_name", str, "str"),
    "interruptible": _instance_of("interruptible", bool, "bool"),
    "report": _instance_of("report", bool, "bool"),
    "entrypoint": _instance_of("entrypoint", bool, "bool"),
    "produces_artifacts": _instance_of("produces_artifacts", bool, "bool"),
    "max_inline_io_bytes": _max_inline_io_bytes,
    "triggers": _triggers,
    "links": _links,
}
