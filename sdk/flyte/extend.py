"""For those who extend the SDK: kinds of tasks, plugins that run tasks in another way, builders of images.

What belongs to the peer's own wire format is absent, and asking for it says what to use instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyte.authoring.function_task import AsyncFunctionTaskTemplate
from flyte.authoring.image_build import ImageBuildEngine, ImageBuilder, ImageChecker
from flyte.authoring.lazy_import import lazy_module
from flyte.authoring.plugins import TaskPluginRegistry
from flyte.authoring.pod_spec import pod_spec_from_resources
from flyte.authoring.task import TaskTemplate
from flyte.client.init import is_initialized
from flyte.spec.image import Architecture
from flyte.spec.pod_template import PRIMARY_CONTAINER_DEFAULT_NAME

if TYPE_CHECKING:
    from flyte.wire.task_settings import get_proto_extended_resources, get_proto_resources

__all__ = [
    "PRIMARY_CONTAINER_DEFAULT_NAME",
    "Architecture",
    "AsyncFunctionTaskTemplate",
    "ImageBuildEngine",
    "ImageBuilder",
    "ImageChecker",
    "TaskPluginRegistry",
    "TaskTemplate",
    "get_proto_extended_resources",
    "get_proto_resources",
    "is_initialized",
    "lazy_module",
    "pod_spec_from_resources",
]

_ABSENT: Final = {
    "RuntimeTaskTemplate": "Subclass flyte.extend.TaskTemplate and implement execute(); workers run it themselves.",
    "download_code_bundle": "Workers of this platform unpack code bundles themselves, before the task is imported.",
}
_FROM: Final = {
    "get_proto_extended_resources": "flyte.wire.task_settings",
    "get_proto_resources": "flyte.wire.task_settings",
}
"""Messages are loaded only by those who ask for one."""


def __getattr__(name: str) -> Any:
    if name in _ABSENT:
        raise ImportError(f"flyte.extend.{name} is not part of this SDK. {_ABSENT[name]}")
    if name in _FROM:
        from importlib import import_module

        return getattr(import_module(_FROM[name]), name)
    raise AttributeError(f"module 'flyte.extend' has no attribute {name!r}")
