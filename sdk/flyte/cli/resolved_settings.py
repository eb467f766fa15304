"""The resolved settings of a task version, each with the level that set it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.message import Message

    from flyteapi.task.v1.task_spec_pb2 import TaskSpec

DEFAULT: Final = "default"


def resolved_settings(spec: TaskSpec) -> dict[str, dict[str, Any]]:
    """Return the value and level of every setting, by name: what `--explain` shows."""
    return {
        name: {"value": read(spec), "level": spec.setting_levels.get(name, DEFAULT)} for name, read in _READERS.items()
    }


def settings_lines(settings: dict[str, dict[str, Any]]) -> str:
    """Return the settings for people, one on a line."""
    width = max(map(len, settings), default=0)
    return "\n".join(f"{name:<{width}}  {_text(one['value'])}  (from {one['level']})" for name, one in settings.items())


def _text(value: Any) -> str:
    if value is None or value == "" or value == {} or value == []:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_text(element)}" for key, element in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return str(value)


def _plain(message: Message) -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict

    return dict(MessageToDict(message, preserving_proto_field_name=True))


def _seconds(amount: Duration) -> float:
    return amount.ToTimedelta().total_seconds()


def _cache(spec: TaskSpec) -> Any:
    return _plain(spec.cache) if spec.cache.enabled else "disable"


def _timeout(spec: TaskSpec) -> dict[str, float]:
    bounds = spec.timeouts
    return {
        f"{name}_s": _seconds(getattr(bounds, name))
        for name in ("max_runtime", "max_queued_time", "deadline")
        if bounds.HasField(name)
    }


def _reuse(spec: TaskSpec) -> Any:
    return _plain(spec.reuse) if spec.HasField("reuse") else None


def _pod_template(spec: TaskSpec) -> Any:
    if not spec.HasField("pod_template"):
        return None
    return spec.pod_template.name or f"given by value, primary container {spec.pod_template.primary_container!r}"


def _secrets(spec: TaskSpec) -> list[str]:
    return [
        f"{secret.group + '/' if secret.group else ''}{secret.key} as {secret.env_var or secret.mount_path}"
        for secret in spec.secrets
    ]


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "short_name": lambda spec: spec.short_name,
    "image": lambda spec: spec.image.uri or "auto",
    "resources": lambda spec: _plain(spec.resources),
    "env_vars": lambda spec: dict(sorted(spec.env.items())),
    "secrets": _secrets,
    "cache": _cache,
    "pod_template": _pod_template,
    "reusable": _reuse,
    "retries": lambda spec: {"count": 0} | _plain(spec.retries),
    "timeout": _timeout,
    "queue": lambda spec: spec.queue,
    "interruptible": lambda spec: spec.interruptible,
    "service_account": lambda spec: spec.service_account,
    "report": lambda spec: spec.report,
    "max_inline_io_bytes": lambda spec: spec.max_inline_io_bytes,
    "plugin_config": lambda spec: spec.plugin_config,
    "docs": lambda spec: spec.short_description,
    "links": lambda spec: [link.name for link in spec.links],
}
