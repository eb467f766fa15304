"""A deployed task as something that a task can call: known by its stored version, not by its code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flyte.authoring.task import TaskTemplate
from flyte.spec.digests import inputs_digest
from flyte.spec.problems import InvalidSetting
from flyte.spec.resolve import Level
from flyte.spec.settings import TaskSettings
from flyte.wire import task_settings
from flyteapi.task.v1 import task_spec_pb2
from flyteapi.task.v1.value_pb2 import NamedValues

OVERRIDABLE: Final = frozenset(
    {
        *("short_name", "resources", "retries", "timeout", "env_vars", "secrets", "service_account"),
        *("max_inline_io_bytes", "cache", "queue", "interruptible"),
    }
)
"""Settings of a deployed task that a call can change."""


class DeployedTask(TaskTemplate[..., Any, Any]):
    """A version of a deployed task. Outputs are read by what they say of themselves: records as dicts."""

    def __init__(self, spec: task_spec_pb2.TaskSpec) -> None:
        super().__init__(name=spec.name, task_type="deployed")
        self.deployed = spec

    @property
    def codec(self) -> DeployedCodec:
        """How its inputs and outputs are written and read."""
        return DeployedCodec(self.deployed)

    def to_proto(self) -> task_spec_pb2.TaskSpec:
        """Return the version, with what a call has changed.

        Raises InvalidSetting, a ValueError, for a setting that cannot be changed, and for one of a reused container.
        """
        changed = {
            name: setting.value
            for name, setting in self._settings.items()
            if setting.level is Level.OVERRIDE and name in TaskSettings.__dataclass_fields__
        }
        if not changed:
            return self.deployed
        refused = sorted(changed.keys() - OVERRIDABLE)
        if refused:
            raise InvalidSetting(f"{', '.join(refused)} of a deployed task cannot be overridden.", field=refused[0])
        kept = sorted(changed.keys() & {"resources", "env_vars", "secrets", "service_account"})
        if kept and self.deployed.HasField("reuse"):
            raise InvalidSetting(
                f"{', '.join(kept)} of the reusable task {self.name} cannot be overridden.", field=kept[0]
            )
        spec = task_spec_pb2.TaskSpec()
        spec.CopyFrom(self.deployed)
        for name in changed:
            _change(spec, name, self)
            spec.setting_levels[name] = Level.OVERRIDE.label
        return spec


class DeployedCodec:
    """Writes inputs by the stored interface and reads outputs as they come."""

    def __init__(self, spec: task_spec_pb2.TaskSpec) -> None:
        self._spec = spec

    def encode_inputs(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
        """See `InterfaceCodec.encode_inputs`."""
        from flyte.client.deployed_inputs import encode_for_interface

        values = encode_for_interface(self._spec.interface, tuple(args), kwargs, task_name=self._spec.name)
        return values.SerializeToString()

    def inputs_digest(self, serialised: bytes, *, ignored: Sequence[str] = ()) -> bytes:
        """See `InterfaceCodec.inputs_digest`."""
        return inputs_digest(NamedValues.FromString(serialised), ignored)

    def decode_outputs(self, data: bytes) -> Any:
        """See `InterfaceCodec.decode_outputs`."""
        from flyte.types.natural import read_natural

        results = tuple(read_natural(named.value) for named in NamedValues.FromString(data).values)
        return results if len(results) > 1 else results[0] if results else None


def _change(spec: task_spec_pb2.TaskSpec, name: str, task: DeployedTask) -> None:
    checked = task.checked()
    match name:
        case "resources":
            spec.resources.CopyFrom(task_settings.resources_to_proto(task.resources))
        case "retries":
            spec.retries.CopyFrom(task_settings.retries_to_proto(task.retries))
        case "timeout":
            spec.timeouts.CopyFrom(task_settings.timeouts_to_proto(checked.timeout))
        case "env_vars":
            spec.env.clear()
            spec.env.update(checked.env_vars)
        case "secrets":
            del spec.secrets[:]
            spec.secrets.extend(task_settings.secrets_to_proto(checked.secrets))
        case "cache":
            _change_cache(spec, task)
        case _:
            value = getattr(task, name)
            setattr(spec, name, "" if value is None else value)


def _change_cache(spec: task_spec_pb2.TaskSpec, task: DeployedTask) -> None:
    cache = task.cache
    if not cache.is_enabled():
        spec.cache.Clear()
        return
    version = cache.version_override or spec.cache.version
    if not version:
        raise InvalidSetting(
            f"The cache of the deployed task {task.name} needs a version: give Cache(version_override=...).",
            field="cache",
        )
    spec.cache.CopyFrom(
        task_spec_pb2.CachePolicy(
            enabled=True, version=version, serialize=cache.serialize, ignored_inputs=cache.get_ignored_inputs()
        )
    )
    if cache.max_age_s is not None:
        spec.cache.max_age.CopyFrom(task_settings.duration(cache.max_age_s))
