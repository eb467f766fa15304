"""Flyteplane's SDK: plain Python functions as tasks.

    import flyte

    env = flyte.TaskEnvironment("hello")

    @env.task
    async def square(x: int) -> int:
        return x * x

    flyte.run(square, 3)

Names are loaded when they are first used: `import flyte` itself loads nothing but this module.
"""

from __future__ import annotations

import sys

# Not that of `typing`: the agent of a pod has that module at hand a moment later, packed, and need not search for it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from flyte import config as config
    from flyte import durable as durable
    from flyte import errors as errors
    from flyte import extend as extend
    from flyte import extras as extras
    from flyte import git as git
    from flyte import io as io
    from flyte import models as models
    from flyte import notify as notify
    from flyte import remote as remote
    from flyte import report as report
    from flyte import spec as spec
    from flyte import storage as storage
    from flyte import syncify as syncify
    from flyte import types as types
    from flyte.authoring.checkpoint import BaseCheckpoint, Checkpoint, latest_checkpoint
    from flyte.authoring.condition import ConditionWebhook, new_condition
    from flyte.authoring.context import ctx, custom_context, get_custom_context, group
    from flyte.authoring.environment import Environment
    from flyte.authoring.function_task import AsyncFunctionTaskTemplate
    from flyte.authoring.image_build import ImageBuild
    from flyte.authoring.links import Link
    from flyte.authoring.logs import logger, system_logger
    from flyte.authoring.map import map
    from flyte.authoring.task import TaskTemplate
    from flyte.authoring.task_environment import TaskEnvironment
    from flyte.authoring.trace import trace
    from flyte.client.deploy import deploy
    from flyte.client.init import (
        current_domain,
        current_project,
        init,
        init_from_api_key,
        init_from_config,
        init_in_cluster,
        init_passthrough,
        is_control_plane_available,
    )
    from flyte.client.run import rerun, run, with_runcontext
    from flyte.images.build import build, build_images
    from flyte.io import DataFrame, Dir, File
    from flyte.spec.cache import Cache, CachePolicy, CacheRequest
    from flyte.spec.devices import AMD_GPU, APPLE_SILICON, GPU, HABANA_GAUDI, TPU, Device, DeviceClass, Neuron
    from flyte.spec.documentation import Documentation
    from flyte.spec.image import Image
    from flyte.spec.limits import MAX_INLINE_IO_BYTES
    from flyte.spec.pod_template import PodTemplate
    from flyte.spec.resources import Resources
    from flyte.spec.retries import Backoff, RetryStrategy
    from flyte.spec.reuse import ReusePolicy
    from flyte.spec.secrets import Secret, SecretRequest
    from flyte.spec.timeouts import Timeout, TimeoutType
    from flyte.spec.triggers import Cron, FixedRate, Trigger, TriggerTime
    from flyte.spec.version import __version__, version

_MODULE_OF: Final[dict[str, str]] = {
    "AMD_GPU": "flyte.spec.devices",
    "APPLE_SILICON": "flyte.spec.devices",
    "AsyncFunctionTaskTemplate": "flyte.authoring.function_task",
    "Backoff": "flyte.spec.retries",
    "BaseCheckpoint": "flyte.authoring.checkpoint",
    "Cache": "flyte.spec.cache",
    "CachePolicy": "flyte.spec.cache",
    "CacheRequest": "flyte.spec.cache",
    "Checkpoint": "flyte.authoring.checkpoint",
    "ConditionWebhook": "flyte.authoring.condition",
    "Cron": "flyte.spec.triggers",
    "DataFrame": "flyte.io",
    "Device": "flyte.spec.devices",
    "DeviceClass": "flyte.spec.devices",
    "Dir": "flyte.io",
    "Documentation": "flyte.spec.documentation",
    "Environment": "flyte.authoring.environment",
    "File": "flyte.io",
    "FixedRate": "flyte.spec.triggers",
    "GPU": "flyte.spec.devices",
    "HABANA_GAUDI": "flyte.spec.devices",
    "Image": "flyte.spec.image",
    "ImageBuild": "flyte.authoring.image_build",
    "Link": "flyte.authoring.links",
    "MAX_INLINE_IO_BYTES": "flyte.spec.limits",
    "Neuron": "flyte.spec.devices",
    "PodTemplate": "flyte.spec.pod_template",
    "Resources": "flyte.spec.resources",
    "RetryStrategy": "flyte.spec.retries",
    "ReusePolicy": "flyte.spec.reuse",
    "Secret": "flyte.spec.secrets",
    "SecretRequest": "flyte.spec.secrets",
    "TPU": "flyte.spec.devices",
    "TaskEnvironment": "flyte.authoring.task_environment",
    "TaskTemplate": "flyte.authoring.task",
    "Timeout": "flyte.spec.timeouts",
    "TimeoutType": "flyte.spec.timeouts",
    "Trigger": "flyte.spec.triggers",
    "TriggerTime": "flyte.spec.triggers",
    "__version__": "flyte.spec.version",
    "build": "flyte.images.build",
    "build_images": "flyte.images.build",
    "ctx": "flyte.authoring.context",
    "current_domain": "flyte.client.init",
    "current_project": "flyte.client.init",
    "custom_context": "flyte.authoring.context",
    "deploy": "flyte.client.deploy",
    "get_custom_context": "flyte.authoring.context",
    "group": "flyte.authoring.context",
    "init": "flyte.client.init",
    "init_from_api_key": "flyte.client.init",
    "init_from_config": "flyte.client.init",
    "init_in_cluster": "flyte.client.init",
    "init_passthrough": "flyte.client.init",
    "is_control_plane_available": "flyte.client.init",
    "latest_checkpoint": "flyte.authoring.checkpoint",
    "logger": "flyte.authoring.logs",
    "map": "flyte.authoring.map",
    "new_condition": "flyte.authoring.condition",
    "rerun": "flyte.client.run",
    "run": "flyte.client.run",
    "system_logger": "flyte.authoring.logs",
    "trace": "flyte.authoring.trace",
    "version": "flyte.spec.version",
    "with_runcontext": "flyte.client.run",
}
"""The public names, and the module that each is loaded from."""

_SUBMODULES: Final = frozenset(
    {
        *("config", "durable", "errors", "extend", "extras", "git", "io", "models", "notify", "remote", "report"),
        *("spec", "storage", "syncify", "types"),
    }
)
"""Parts that are reached as attributes, `flyte.errors` for example, without an import of their own."""

_ABSENT: Final = {
    "AppHandle": "This platform serves no apps: run a service of your own, and call it from tasks.",
    "OnArtifact": "This platform keeps no artifacts: start runs with flyte.Cron or flyte.FixedRate.",
    "TriggeredArtifact": "This platform keeps no artifacts.",
    "TriggeredPartition": "This platform keeps no artifacts.",
    "ai": "Write agents as tasks that call each other, with flyte.trace around calls of a model.",
    "app": "This platform serves no apps: run a service of your own, and call it from tasks.",
    "artifacts": "This platform keeps no artifacts: outputs are found with flyte.remote.Run.get(name).outputs().",
    "clustered": "Tasks run in one container each: start the processes of a group inside of one task.",
    "connectors": "Write the call of the other service as a task.",
    "load_interactive_ctx": "Tasks are debugged with flyte.run(...) in local mode.",
    "load_plugin_config": "Make the configuration in Python and give it to TaskEnvironment(plugin_config=...).",
    "prefetch": "Fetch a model in a task with cache='auto'.",
    "run_python_script": "Put the script's code into a task.",
    "sandbox": "Untrusted code belongs into a task with an image, a service account and a network policy of its own.",
    "serve": "This platform serves no apps: run a service of your own, and call it from tasks.",
    "with_servecontext": "This platform serves no apps: run a service of your own, and call it from tasks.",
}
"""What the peer SDK has beside the tasks that this one is about, and what to do instead."""

__all__ = [
    "AMD_GPU",
    "APPLE_SILICON",
    "GPU",
    "HABANA_GAUDI",
    "MAX_INLINE_IO_BYTES",
    "TPU",
    "AsyncFunctionTaskTemplate",
    "Backoff",
    "BaseCheckpoint",
    "Cache",
    "CachePolicy",
    "CacheRequest",
    "Checkpoint",
    "ConditionWebhook",
    "Cron",
    "DataFrame",
    "Device",
    "DeviceClass",
    "Dir",
    "Documentation",
    "Environment",
    "File",
    "FixedRate",
    "Image",
    "ImageBuild",
    "Link",
    "Neuron",
    "PodTemplate",
    "Resources",
    "RetryStrategy",
    "ReusePolicy",
    "Secret",
    "SecretRequest",
    "TaskEnvironment",
    "TaskTemplate",
    "Timeout",
    "TimeoutType",
    "Trigger",
    "TriggerTime",
    "__version__",
    "build",
    "build_images",
    "ctx",
    "current_domain",
    "current_project",
    "custom_context",
    "deploy",
    "get_custom_context",
    "group",
    "init",
    "init_from_api_key",
    "init_from_config",
    "init_in_cluster",
    "init_passthrough",
    "is_control_plane_available",
    "latest_checkpoint",
    "logger",
    "map",
    "new_condition",
    "rerun",
    "run",
    "system_logger",
    "trace",
    "version",
    "with_runcontext",
]


class _AbsentModules:
    """Says of `import flyte.app` what `flyte.app` says: asked by Python for modules that nothing else has found."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        parent, _, child = name.rpartition(".")
        if parent.partition(".")[0] != __name__:
            return
        reason = getattr(sys.modules.get(parent), "_ABSENT", {}).get(child)
        if reason is not None:
            raise ImportError(f"{name} is not part of this SDK. {reason}", name=name)


sys.meta_path.append(_AbsentModules)


def __getattr__(name: str) -> Any:
    import importlib

    if name in _SUBMODULES:
        return importlib.import_module(f"flyte.{name}")
    if name in _ABSENT:
        # Not an AttributeError: of that, `from flyte import serve` would not show the text.
        raise ImportError(f"flyte.{name} is not part of this SDK. {_ABSENT[name]}", name=f"flyte.{name}")
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'flyte' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})
