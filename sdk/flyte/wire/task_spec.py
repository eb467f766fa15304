"""A task as the task version that the platform keeps: everything resolved over the levels of configuration.

Made once for each task object and each way of finding it, since a parent asks for it on every call of a child.
"""

from __future__ import annotations

import weakref
from typing import Any, Final

from flyte.authoring.backend_hooks import refuse_what_would_be_ignored
from flyte.authoring.condition import ConditionTask
from flyte.authoring.task import TaskTemplate
from flyte.spec.cache import VersionParameters
from flyte.spec.check import CheckedSettings
from flyte.spec.digests import task_digest
from flyte.spec.documentation import Documentation, description_of
from flyte.spec.problems import InvalidSetting
from flyte.spec.resolve import Level
from flyte.types.interface import interface_codec
from flyte.wire import task_settings
from flyte.wire.conditions import condition_to_proto
from flyte.wire.deployed_task import DeployedTask
from flyte.wire.entrypoints import locate, pickle_task
from flyte.wire.images import image_to_proto
from flyteapi.task.v1 import task_spec_pb2

MAX_DESCRIPTION_BYTES: Final = 64 * 1024
"""Longer documentation is cut."""

_Found = tuple[str, str | None, str | None, bytes | None]
_made: weakref.WeakKeyDictionary[TaskTemplate[Any, Any, Any], dict[_Found, task_spec_pb2.TaskSpec]] = (
    weakref.WeakKeyDictionary()
)


def task_to_proto(
    task: TaskTemplate[Any, Any, Any],
    *,
    bundle_digest: str = "",
    module: str | None = None,
    attribute: str | None = None,
    pickled: bytes | None = None,
) -> task_spec_pb2.TaskSpec:
    """Return the task version of a task. The message is shared between calls: never change it.

    - `bundle_digest`: SHA-256 of the code bundle, hex; empty if the code is part of the image.
    - `module`, `attribute`: where importing finds the task; by default where it is in this process.
    - `pickled`: the task as a pickle, instead of both. A task that no module has is pickled in any case.

    Raises InvalidSetting, a ValueError, for settings that the platform could not keep.
    """
    key = (bundle_digest, module, attribute, pickled)
    known = _made.setdefault(task, {})
    spec = known.get(key)
    if spec is None:
        spec = known[key] = _make_any(task, key)
    return spec


def digest_of(spec: task_spec_pb2.TaskSpec) -> bytes:
    """Return the address of a task version: 32 bytes."""
    return task_digest(spec)


def full_name(task: TaskTemplate[Any, Any, Any]) -> tuple[str, str]:
    """Return the environment of a task, and the name that the platform knows the task by, which begins with it.

    A task that was made without an environment has a name of one word; InvalidSetting if it has none still.
    """
    environment = task.parent_env_name or task.name.rpartition(".")[0]
    if not environment:
        raise InvalidSetting(
            f"Task {task.name!r} is not attached to an environment. Make one of it with "
            f"flyte.TaskEnvironment.from_task('my_env', task).",
            field="environment",
        )
    inside = task.name.startswith(f"{environment}.")
    return environment, task.name if inside else f"{environment}.{task.name}"


def _make_any(task: TaskTemplate[Any, Any, Any], key: _Found) -> task_spec_pb2.TaskSpec:
    if isinstance(task, ConditionTask):
        return condition_to_proto(task)
    return task.to_proto() if isinstance(task, DeployedTask) else _make(task, *key)


def _make(
    task: TaskTemplate[Any, Any, Any],
    bundle_digest: str,
    module: str | None,
    attribute: str | None,
    pickled: bytes | None,
) -> task_spec_pb2.TaskSpec:
    refuse_what_would_be_ignored(task)
    checked = task.checked()
    entrypoint = _entrypoint(task, bundle_digest, module, attribute, pickled)
    environment, name = full_name(task)
    spec = task_spec_pb2.TaskSpec(
        name=name,
        environment=environment,
        short_name=task.short_name or task.name.rpartition(".")[2],
        interface=interface_codec(task.interface).to_proto(),
        entrypoint=entrypoint,
        image=image_to_proto(task.image),
        resources=task_settings.resources_to_proto(task.resources),
        env=checked.env_vars,
        secrets=task_settings.secrets_to_proto(checked.secrets),
        cache=_cache(task, entrypoint),
        retries=task_settings.retries_to_proto(task.retries),
        timeouts=task_settings.timeouts_to_proto(checked.timeout),
        service_account=task.service_account or "",
        queue=task.queue or "",
        interruptible=task.interruptible,
        report=task.report,
        max_inline_io_bytes=task.max_inline_io_bytes,
        is_async=task.is_async,
        plugin_config=task_settings.plugin_config_to_json(task.plugin_config),
        links=task_settings.links_to_proto(task.links),
        is_entrypoint=task.entrypoint,
    )
    _add_optional(spec, task, checked)
    return spec


def _add_optional(spec: task_spec_pb2.TaskSpec, task: TaskTemplate[Any, Any, Any], checked: CheckedSettings) -> None:
    if task.reusable is not None:
        spec.reuse.CopyFrom(task_settings.reuse_to_proto(task.reusable))
    if checked.pod_template is not None:
        spec.pod_template.CopyFrom(task_settings.pod_template_to_proto(checked.pod_template))
    text = description_of(task.docs).strip() or (getattr(task, "__doc__", "") or "" if hasattr(task, "func") else "")
    documentation = Documentation(text)
    spec.short_description = documentation.short_description[:MAX_DESCRIPTION_BYTES]
    spec.long_description = text.strip()[:MAX_DESCRIPTION_BYTES]
    for name, setting in task._settings.items():
        if setting.level is not Level.DEFAULT:
            spec.setting_levels[name] = setting.level.label


def _entrypoint(
    task: TaskTemplate[Any, Any, Any],
    bundle_digest: str,
    module: str | None,
    attribute: str | None,
    pickled: bytes | None,
) -> task_spec_pb2.Entrypoint:
    if pickled is None and module and attribute:
        return task_spec_pb2.Entrypoint(bundle_digest=bundle_digest, module=module, attribute=attribute)
    place = locate(task, module=module) if pickled is None else None
    if place is None:
        return task_spec_pb2.Entrypoint(bundle_digest=bundle_digest, pickled_task=pickled or pickle_task(task))
    return task_spec_pb2.Entrypoint(bundle_digest=bundle_digest, module=place[0], attribute=attribute or place[1])


def _cache(task: TaskTemplate[Any, Any, Any], entrypoint: task_spec_pb2.Entrypoint) -> task_spec_pb2.CachePolicy:
    cache = task.cache
    if not cache.is_enabled():
        return task_spec_pb2.CachePolicy()
    policy = task_spec_pb2.CachePolicy(
        enabled=True,
        version=_cache_version(task, entrypoint),
        serialize=cache.serialize,
        ignored_inputs=task._settings.ignored_inputs(task.interface.inputs),
    )
    if cache.max_age_s is not None:
        policy.max_age.CopyFrom(task_settings.duration(cache.max_age_s))
    return policy


def _cache_version(task: TaskTemplate[Any, Any, Any], entrypoint: task_spec_pb2.Entrypoint) -> str:
    func = getattr(task, "func", None)
    parameters = VersionParameters(func=func, container_image=task.image, pod_template=task.pod_template)
    try:
        return task.cache.get_version(parameters)
    except InvalidSetting:
        # Code that lies in no file has no source to read; what there is of it is its pickle.
        if not entrypoint.pickled_task:
            raise
        from hashlib import sha256

        return sha256(entrypoint.pickled_task).hexdigest()
