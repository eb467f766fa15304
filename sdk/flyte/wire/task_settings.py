"""The settings of a task as the messages that a task version is made of."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration

from flyte.spec.pod_template import PodTemplate
from flyte.spec.problems import InvalidSetting
from flyte.spec.resources import Resources
from flyte.spec.retries import RetryStrategy
from flyte.spec.reuse import ReusePolicy
from flyte.spec.secrets import Secret
from flyte.spec.timeouts import TimeoutBounds
from flyteapi.task.v1 import task_spec_pb2

_LINK_CONTEXT: Final = {
    "run_name": "{{run}}",
    "project": "{{project}}",
    "domain": "{{domain}}",
    "parent_action_name": "{{parent_action}}",
    "action_name": "{{action}}",
    "pod_name": "{{worker}}",
}
"""What stands in a link's URL for that which is only known of an action."""


def duration(seconds: float) -> Duration:
    """Return seconds as a duration, to the microsecond."""
    message = Duration()
    message.FromMicroseconds(round(seconds * 1_000_000))
    return message


def resources_to_proto(resources: Resources | None) -> task_spec_pb2.ResourceRequest:
    """Return the resources of a container; empty fields leave it to the platform."""
    asked = resources or Resources()
    cpu, cpu_limit = asked.cpu if isinstance(asked.cpu, tuple) else (asked.cpu, None)
    memory, memory_limit = asked.memory if isinstance(asked.memory, tuple) else (asked.memory, None)
    message = task_spec_pb2.ResourceRequest(
        cpu=_quantity(cpu),
        cpu_limit=_quantity(cpu_limit),
        memory=_quantity(memory),
        memory_limit=_quantity(memory_limit),
        disk=_quantity(asked.disk),
        shared_memory=asked.shm or "",
    )
    device = asked.get_device()
    if device is not None:
        message.accelerator.device_class = device.device_class
        message.accelerator.device = device.device or ""
        message.accelerator.quantity = device.quantity
        message.accelerator.partition = device.partition or ""
    return message


def get_proto_resources(resources: Resources | None) -> task_spec_pb2.ResourceRequest | None:
    """Return the resources of a container as this platform's message; None for None."""
    return None if resources is None else resources_to_proto(resources)


def get_proto_extended_resources(resources: Resources | None) -> task_spec_pb2.Accelerator | None:
    """Return the accelerator that resources ask for as this platform's message; None if they ask for none."""
    message = resources_to_proto(resources)
    return message.accelerator if message.HasField("accelerator") else None


def secrets_to_proto(secrets: Iterable[Secret]) -> list[task_spec_pb2.SecretRequest]:
    """Return the secrets; one that is wanted as a variable and as a file is asked for twice."""
    messages = []
    for secret in secrets:
        named = {"key": secret.key, "group": secret.group or ""}
        if secret.as_env_var:
            messages.append(task_spec_pb2.SecretRequest(**named, env_var=secret.as_env_var))
        if secret.mount is not None:
            messages.append(task_spec_pb2.SecretRequest(**named, mount_path=str(secret.mount)))
    return messages


def retries_to_proto(retries: RetryStrategy) -> task_spec_pb2.RetryPolicy:
    """Return how often and how fast failures are tried again."""
    message = task_spec_pb2.RetryPolicy(count=retries.count)
    if retries.backoff is not None:
        message.backoff.base.FromTimedelta(retries.backoff.base)
        message.backoff.factor = retries.backoff.factor
        if retries.backoff.cap is not None:
            message.backoff.cap.FromTimedelta(retries.backoff.cap)
    return message


def timeouts_to_proto(bounds: TimeoutBounds) -> task_spec_pb2.TimeoutPolicy:
    """Return the bounds on the time of an action; unset ones are no bounds."""
    message = task_spec_pb2.TimeoutPolicy()
    for name in ("max_runtime", "max_queued_time", "deadline"):
        seconds = getattr(bounds, f"{name}_s")
        if seconds is not None:
            getattr(message, name).CopyFrom(duration(seconds))
    return message


def reuse_to_proto(policy: ReusePolicy) -> task_spec_pb2.ReusePolicy:
    """Return the reuse policy."""
    return task_spec_pb2.ReusePolicy(
        min_replicas=policy.min_replicas,
        max_replicas=policy.max_replicas,
        concurrency=policy.concurrency,
        idle_ttl=duration(policy.idle_ttl_s),
        scaledown_ttl=duration(policy.scaledown_ttl_s),
        scope=policy.scope,
    )


def pod_template_to_proto(template: str | PodTemplate) -> task_spec_pb2.PodTemplate:
    """Return a pod template, by name or by value."""
    if isinstance(template, str):
        return task_spec_pb2.PodTemplate(name=template)
    return task_spec_pb2.PodTemplate(
        pod_template_json=json.dumps(template.to_manifest(), sort_keys=True),
        primary_container=template.primary_container_name,
    )


def plugin_config_to_json(config: Any) -> str:
    """Return the configuration of a plugin as JSON text, "" for none. Raises InvalidSetting if JSON cannot hold it."""
    if config is None:
        return ""
    try:
        return json.dumps(config, sort_keys=True, default=_as_plain)
    except (TypeError, ValueError) as error:
        raise InvalidSetting(
            f"plugin_config {type(config)} cannot be written as JSON: {error}. Use plain values.",
            field="plugin_config",
        ) from error


def links_to_proto(links: Iterable[Any]) -> list[task_spec_pb2.Link]:
    """Return the links of a task; what is only known of an action stands in the URL as {{action}} and its like."""
    return [task_spec_pb2.Link(name=link.name, url=_url_of(link)) for link in links]


def _url_of(link: Any) -> str:
    make = getattr(link, "get_link", None)
    return str(make(context={}, **_LINK_CONTEXT) if make is not None else link.url)


def _quantity(amount: Any) -> str:
    if amount is None:
        return ""
    # A float's own text may have an exponent such as 1e-05, which no quantity has.
    return f"{Decimal(repr(amount)):f}" if isinstance(amount, float) else str(amount).strip()


def _as_plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return dict(vars(value))
    raise TypeError(f"{type(value)} is no plain value")
