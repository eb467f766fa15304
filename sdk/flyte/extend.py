"""For those who extend the SDK: kinds of tasks, and plugins that run tasks in another way."""

from __future__ import annotations

from flyte.authoring.function_task import AsyncFunctionTaskTemplate
from flyte.authoring.plugins import TaskPluginRegistry
from flyte.authoring.task import TaskTemplate
from flyte.spec.image import Architecture
from flyte.spec.pod_template import PRIMARY_CONTAINER_DEFAULT_NAME

__all__ = [
    "PRIMARY_CONTAINER_DEFAULT_NAME",
    "Architecture",
    "AsyncFunctionTaskTemplate",
    "TaskPluginRegistry",
    "TaskTemplate",
]
