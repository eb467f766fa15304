"""A trigger of the user's as the message that the platform keeps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any

from flyte.client.deployed_inputs import as_it_is
from flyte.spec.problems import InvalidSetting
from flyte.spec.triggers import Cron, FixedRate, TriggerTime
from flyteapi.admin.v1 import trigger_service_pb2 as api
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.value_pb2 import NamedValues, Payload, Value

if TYPE_CHECKING:
    from flyte.spec.triggers import Trigger


def trigger_to_proto(
    trigger: Trigger, *, identity: api.TriggerId, task_version: str | None, types: Mapping[str, Any]
) -> api.Trigger:
    """Return the message of a trigger; `types` are those of the task's inputs, as far as they are known here.

    Raises InvalidSetting, a ValueError, if two inputs want the time of fire.
    """
    message = api.Trigger(
        id=identity,
        task_version=task_version or "",
        inputs=Payload(inline=_inputs(trigger, types).SerializeToString()),
        time_input=_time_input(trigger),
        settings=_settings(trigger),
        active=trigger.auto_activate,
        description=trigger.description,
    )
    automation = trigger.automation
    if isinstance(automation, Cron):
        message.cron.expression, message.cron.timezone = automation.expression, automation.timezone
    elif isinstance(automation, FixedRate):
        message.fixed_rate.interval.seconds = automation.interval_minutes * 60
        if automation.start_time is not None:
            start = automation.start_time
            message.fixed_rate.start_time.FromDatetime(start if start.tzinfo else start.replace(tzinfo=UTC))
    return message


def _inputs(trigger: Trigger, types: Mapping[str, Any]) -> NamedValues:
    values = NamedValues()
    for name, value in (trigger.inputs or {}).items():
        if value is not TriggerTime:
            encoded = _encoded(value, types[name]) if name in types else as_it_is(value)
            values.values.add(name=name).value.CopyFrom(encoded)
    return values


def _encoded(value: Any, annotation: Any) -> Value:
    """The value by its type. One of another type goes as what it is: the platform says then what the task wants."""
    from flyte.types.codecs import codec_for
    from flyte.types.mismatch import TypeTransformerFailedError

    message = Value()
    try:
        codec_for(annotation).write(message, value)
    except TypeTransformerFailedError:
        return as_it_is(value)
    return message


def _time_input(trigger: Trigger) -> str:
    names = [name for name, value in (trigger.inputs or {}).items() if value is TriggerTime]
    if len(names) > 1:
        raise InvalidSetting(
            f"triggers.inputs: {' and '.join(names)} both are the TriggerTime. One input can be.",
            field="triggers.inputs",
        )
    return names[0] if names else ""


def _settings(trigger: Trigger) -> RunSettings:
    settings = RunSettings(
        env=trigger.env_vars or {},
        labels=trigger.labels or {},
        annotations=trigger.annotations or {},
        overwrite_cache=trigger.overwrite_cache,
        queue=trigger.queue or "",
        max_action_concurrency=trigger.max_action_concurrency or 0,
        custom_context=trigger.custom_context or {},
        interruptible=trigger.interruptible,
    )
    if trigger.notifications is not None:
        from flyte.client.notifications import set_notifications

        set_notifications(settings, trigger.notifications)
    return settings
