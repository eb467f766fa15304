"""Deployed tasks: rows of the list, and one version with its interface and what it asks for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from flyteapi.task.v1.value_pb2 import Value
from flyteplane.console.launch.trees import NotShown, json_of, tree_of
from flyteplane.console.views.paths import launch_path, task_path
from flyteplane.console.views.times import seconds_of

if TYPE_CHECKING:
    from flyteapi.admin.v1.task_service_pb2 import DeployedTask
    from flyteapi.task.v1.interface_pb2 import Parameter
    from flyteapi.task.v1.task_spec_pb2 import TaskSpec

_MOST_DEFAULT: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterView:
    """An input or output."""

    name: str
    type_name: str
    required: bool
    default: str
    """As people read it; empty if there is none."""
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A version in a list."""

    project: str
    domain: str
    name: str
    version: str
    description: str
    signature: str
    path: str
    launch: str
    deployed_at: float | None
    deployed_by: str


def task_row(task: DeployedTask, *, of_version: bool = False) -> TaskRow:
    """A version as a row; `of_version`: its links name the version, and not the task whose newest it is."""
    version = task.version if of_version else ""
    return TaskRow(
        project=task.project,
        domain=task.domain,
        name=task.name,
        version=task.version,
        description=task.spec.short_description,
        signature=signature(task.spec),
        path=task_path(task.project, task.domain, task.name, version=version),
        launch=launch_path(task.project, task.domain, task.name, version=version),
        deployed_at=seconds_of(task, "deployed_at"),
        deployed_by=task.deployed_by,
    )


def signature(spec: TaskSpec) -> str:
    """What a task takes and returns, in one line."""
    inputs = ", ".join(
        f"{each.name}: {each.type_name}{'' if each.required else ' = …'}" for each in spec.interface.inputs
    )
    outputs = ", ".join(each.type_name for each in spec.interface.outputs)
    return f"({inputs}) → {outputs or 'None'}"


def parameters(found: Sequence[Parameter]) -> list[ParameterView]:
    """Inputs or outputs of an interface."""
    return [
        ParameterView(
            name=each.name,
            type_name=each.type_name,
            required=each.required,
            default="" if each.required else _default(each.default_value),
            description=each.description,
        )
        for each in found
    ]


def _default(serialised: bytes) -> str:
    try:
        text = json.dumps(json_of(tree_of(Value.FromString(serialised))), ensure_ascii=False)
    except (DecodeError, NotShown):
        return "set by the program"
    return text if len(text) <= _MOST_DEFAULT else f"{text[:_MOST_DEFAULT]}…"


def facts(spec: TaskSpec) -> list[tuple[str, str]]:
    """What a version asks for, name and value; what is left to the platform is left out."""
    resources, entrypoint = spec.resources, spec.entrypoint
    reuse = f"{spec.reuse.min_replicas} to {spec.reuse.max_replicas} replicas" if spec.HasField("reuse") else ""
    accelerator = resources.accelerator
    found = {
        "Environment": spec.environment,
        "Code": f"{entrypoint.module}:{entrypoint.attribute}" if entrypoint.module else "pickled",
        "Image": spec.image.uri,
        "Packages": ", ".join(spec.image.python_packages),
        "Debian packages": ", ".join(spec.image.system_packages),
        "Needs a container": ", ".join(spec.image.container_steps),
        "CPU": resources.cpu,
        "Memory": resources.memory,
        "Accelerators": f"{accelerator.quantity} × {accelerator.device or accelerator.device_class}"
        if accelerator.quantity
        else "",
        "Queue": spec.queue,
        "Retries": str(spec.retries.count or ""),
        "Cache": f"version {spec.cache.version}" if spec.cache.enabled else "",
        "Warm replicas": reuse,
        "Secrets": ", ".join(secret.key for secret in spec.secrets),
        "Report": "yes" if spec.report else "",
    }
    return [(name, value) for name, value in found.items() if value]
