"""What local mode needs to know of a task, worked out once for each task and not once for each call."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flyte.authoring.function_task import AsyncFunctionTaskTemplate
from flyte.authoring.task import TaskTemplate
from flyte.spec.cache import Cache
from flyte.spec.digests import interface_digest, task_identity
from flyte.spec.image import Image
from flyte.spec.image_layers import EnvVars
from flyte.spec.retries import RetryStrategy
from flyte.spec.secrets import Secret, normalise_secrets
from flyte.spec.timeouts import TimeoutBounds, timeout_bounds
from flyte.types.interface import InterfaceCodec, interface_codec

Task = TaskTemplate[Any, Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedTask:
    """A task with its settings in the form in which they are used."""

    name: str
    codec: InterfaceCodec
    identity: bytes
    """Makes the names of children, see `flyte.spec.child_names`."""
    interface_digest: bytes
    cache: Cache | None
    """None if the task is not cached."""
    cache_version: str
    ignored_inputs: tuple[str, ...]
    max_age_s: float | None
    bounds: TimeoutBounds
    retries: RetryStrategy
    max_inline_io_bytes: int
    image_variables: Mapping[str, str]
    """Those of the run go before them."""
    variables: Mapping[str, str]
    """The task's own, which go before those of the run."""
    secrets: tuple[Secret, ...]
    is_async: bool
    execute: Callable[..., Any]
    """Gives a coroutine, or for a plain synchronous function its result."""
    is_plain_function: bool
    """Whether calling the function is all there is to executing the task."""
    report: bool


_described: weakref.WeakKeyDictionary[Task, DescribedTask] = weakref.WeakKeyDictionary()


def describe(task: Task) -> DescribedTask:
    """Return the description of a task. Raises InvalidSetting, a ValueError, for a setting that cannot be kept."""
    known = _described.get(task)
    if known is None:
        known = _described[task] = _describe(task)
    return known


def _describe(task: Task) -> DescribedTask:
    codec = interface_codec(task.interface)
    digest = interface_digest(codec.to_proto())
    cache = task.cache if task.cache.is_enabled() else None
    version = _cache_version(task)
    function = _function_of(task)
    return DescribedTask(
        name=task.name,
        codec=codec,
        identity=task_identity(task.name, digest, version),
        interface_digest=digest,
        cache=cache,
        cache_version=version,
        ignored_inputs=() if cache is None else task._settings.ignored_inputs(task.interface.inputs),
        max_age_s=None if cache is None else cache.max_age_s,
        bounds=timeout_bounds(task.timeout),
        retries=task.retries,
        max_inline_io_bytes=task.max_inline_io_bytes,
        image_variables=_variables_of_image(task.image),
        variables=task.env_vars or {},
        secrets=normalise_secrets(task.secrets),
        is_async=task.is_async,
        execute=function or _weakly(task),
        is_plain_function=function is not None,
        report=task.report,
    )


def _cache_version(task: Task) -> str:
    version_of = getattr(task, "cache_version", None)
    version: str = version_of() if version_of is not None else task.cache.get_version()
    return version


def _weakly(task: Task) -> Callable[..., Any]:
    # A description is kept for as long as its task, so it must not hold the task itself.
    reference = weakref.ref(task)

    def execute(**inputs: Any) -> Any:
        alive = reference()
        if alive is None:
            raise RuntimeError("the task is gone")
        return alive.execute(**inputs)

    return execute


def _function_of(task: Task) -> Callable[..., Any] | None:
    kind = type(task)
    if not isinstance(task, AsyncFunctionTaskTemplate) or kind.execute is not AsyncFunctionTaskTemplate.execute:
        return None
    prepares_or_finishes = kind.pre is not TaskTemplate.pre or kind.post is not TaskTemplate.post
    return None if prepares_or_finishes else task.func


def _variables_of_image(image: str | Image | None) -> dict[str, str]:
    variables: dict[str, str] = {}
    for layer in image.layers if isinstance(image, Image) else ():
        if isinstance(layer, EnvVars):
            variables.update(dict(layer.env_vars))
    return variables
