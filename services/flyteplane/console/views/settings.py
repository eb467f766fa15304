"""The resolved configuration of a task: each setting, its value, and the level that it came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.json_format import MessageToDict

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from flyteapi.task.v1.task_spec_pb2 import TaskSpec

_DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingView:
    """A setting."""

    name: str
    text: str
    level: str


def settings_of(spec: TaskSpec) -> Sequence[SettingView]:
    """All settings, those that somebody set first."""
    found = [
        SettingView(name=name, text=read(spec), level=spec.setting_levels.get(name, _DEFAULT))
        for name, read in _READERS.items()
    ]
    return sorted(found, key=lambda setting: setting.level == _DEFAULT)


def _plain(message: Message) -> str:
    return _joined(MessageToDict(message, preserving_proto_field_name=True))


def _joined(facts: Any) -> str:
    if isinstance(facts, dict):
        return ", ".join(f"{name} {_joined(value)}" for name, value in facts.items()) or "none"
    return str(facts)


def _timeouts(spec: TaskSpec) -> str:
    return _plain(spec.timeouts)


def _secrets(spec: TaskSpec) -> str:
    named = [f"{secret.group + '/' if secret.group else ''}{secret.key}" for secret in spec.secrets]
    return ", ".join(named) or "none"


def _pod_template(spec: TaskSpec) -> str:
    if not spec.HasField("pod_template"):
        return "none"
    return spec.pod_template.name or f"given by value, primary container {spec.pod_template.primary_container}"


_READERS: Final[dict[str, Callable[[Any], str]]] = {
    "image": lambda spec: spec.image.uri or "the platform's",
    "resources": lambda spec: _plain(spec.resources),
    "queue": lambda spec: spec.queue or "that of the run",
    "env_vars": lambda spec: ", ".join(f"{name}={text}" for name, text in sorted(spec.env.items())) or "none",
    "secrets": _secrets,
    "cache": lambda spec: _plain(spec.cache) if spec.cache.enabled else "off",
    "reusable": lambda spec: _plain(spec.reuse) if spec.HasField("reuse") else "a fresh worker for each attempt",
    "retries": lambda spec: _plain(spec.retries) if spec.retries.count else "none",
    "timeout": _timeouts,
    "pod_template": _pod_template,
    "interruptible": lambda spec: "yes" if spec.interruptible else "no",
    "service_account": lambda spec: spec.service_account or "the cluster's",
    "report": lambda spec: "yes" if spec.report else "no",
    "max_inline_io_bytes": lambda spec: str(spec.max_inline_io_bytes or "unlimited"),
    "plugin_config": lambda spec: spec.plugin_config or "none",
}
