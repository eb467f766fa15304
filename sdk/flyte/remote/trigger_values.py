"""A trigger of the user's as the message that the platform keeps."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from flyte.spec.problems import InvalidSetting
from flyte.spec.triggers import Cron, FixedRate, TriggerTime
from flyteapi.admin.v1 import trigger_service_pb2 as api
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteapi.task.v1.value_pb2 import NamedValues, Payload

if TYPE_CHECKING:
    from flyte.spec.triggers import Trigger


def trigger_to_proto(trigger: Trigger, *, identity: api.TriggerId, task_version: str | None) -> api.Trigger:
    """Return the message of a trigger. Raises InvalidSetting, a ValueError, if two inputs want the time of fire."""
    message = api.Trigger(
        id=identity,
        task_version=task_version or "",
        inputs=Payload(inline=_inputs(trigger).SerializeToString()),
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


def _inputs(trigger: Trigger) -> NamedValues:
    from flyte.types.codecs import codec_for

    values = NamedValues()
    for name, value in (trigger.inputs or {}).items():
        if value is TriggerTime:
            continue
        codec = codec_for(type(value) if isinstance(value, bool | int | float | str) else Any)
        values.values.add(name=name).value.CopyFrom(codec.encode(value, name=name))
    return values


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
