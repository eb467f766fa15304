"""Tasks that were declared to the worker: loaded once, and kept warm, in bounded memory.

A task is found by bundle, module and attribute, or unpickled if its code lies in no file. Overrides do not matter
here: image, resources and retries were dealt with before the worker was chosen, so the function and its interface are
all that counts.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyte.authoring.function_task import AsyncFunctionTaskTemplate
from flyte.authoring.task import TaskTemplate
from flyte.runner.later import load_before_searching
from flyte.spec.limits import MAX_INLINE_IO_BYTES, MOST_INTRODUCED
from flyte.wire.bundle_layout import IMPORT_FOLDERS_ENTRY
from flyteapi.task.v1.task_spec_pb2 import TaskSpec

if TYPE_CHECKING:
    from flyte.types.interface import InterfaceCodec


@dataclass(frozen=True)
class LoadedTask:
    """A task that can be executed."""

    task: TaskTemplate[Any, Any, Any]
    is_async: bool
    """Whether it runs as a coroutine on the worker's loop; otherwise with the main thread to itself."""
    function: Callable[..., Any] | None
    """The task's function, if calling it is all there is to executing the task."""
    max_inline_io_bytes: int

    @cached_property
    def codec(self) -> InterfaceCodec:
        """Encodes and decodes its inputs and outputs. Raises what `interface_codec` raises."""
        from flyte.types.interface import interface_codec

        return interface_codec(self.task.native_interface)

    def decode_inputs(self, content: bytes) -> dict[str, Any]:
        """The inputs by name. Raises as `InterfaceCodec.decode_inputs`."""
        if not content and (_takes_nothing(self.function) or not self.task.native_interface.inputs):
            return {}
        return self.codec.decode_inputs(content)


class DeclaredTasks:
    """Task versions by digest: the `most` that were declared last."""

    def __init__(self, *, most: int = 2 * MOST_INTRODUCED) -> None:
        self._most = most
        self._declared: dict[bytes, tuple[TaskSpec, str]] = {}
        self._loaded: dict[bytes, LoadedTask] = {}

    def declare(self, digest: bytes, spec: TaskSpec, bundle_path: str) -> None:
        """Remembers a task version. Idempotent."""
        # At the end, as whoever declares it counts on it from now on.
        self._declared[digest] = self._declared.pop(digest, (spec, bundle_path))
        if len(self._declared) > self._most:
            oldest = next(iter(self._declared))
            del self._declared[oldest]
            self._loaded.pop(oldest, None)

    def spec(self, digest: bytes) -> TaskSpec | None:
        """The task version; None if it was not declared."""
        declared = self._declared.get(digest)
        return declared[0] if declared is not None else None

    def bundle_path(self, digest: bytes) -> str:
        """Folder of the task's unpacked code bundle."""
        return self._declared[digest][1]

    def loaded(self, digest: bytes) -> LoadedTask | None:
        """The task, if it has been loaded."""
        return self._loaded.get(digest)

    def load(self, digest: bytes) -> LoadedTask:
        """Imports the task's module, or takes what is there. Raises whatever the user's module raises,
        ModuleLoadError.
        """
        loaded = self._loaded.get(digest)
        if loaded is None:
            spec, bundle_path = self._declared[digest]
            loaded = self._loaded[digest] = _load(spec, bundle_path)
        return loaded


def _load(spec: TaskSpec, bundle_path: str) -> LoadedTask:
    if bundle_path and bundle_path not in sys.path:
        folders = [bundle_path, *_import_folders(Path(bundle_path))]
        load_before_searching(folders)
        sys.path[:0] = folders
    task = _unpickle(spec) if spec.entrypoint.pickled_task else _import(spec)
    return LoadedTask(
        task=task,
        is_async=task.is_async or not isinstance(task, AsyncFunctionTaskTemplate),
        function=_function_of(task),
        max_inline_io_bytes=spec.max_inline_io_bytes or MAX_INLINE_IO_BYTES,
    )


def _import_folders(bundle: Path) -> list[str]:
    """Folders below the bundle's root that the submitting side imported modules from as well."""
    try:
        listed = (bundle / IMPORT_FOLDERS_ENTRY).read_text()
    except FileNotFoundError:
        return []
    return [str(bundle / folder) for folder in listed.splitlines()]


def _import(spec: TaskSpec) -> TaskTemplate[Any, Any, Any]:
    entrypoint = spec.entrypoint
    found: Any = importlib.import_module(entrypoint.module)
    for name in entrypoint.attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            from flyte.errors import ModuleLoadError

            raise ModuleLoadError(
                f"Module {entrypoint.module} has no {entrypoint.attribute}, which should be the task {spec.name}. "
                "Define the task at the top level of a module, outside of `if __name__ == '__main__':`."
            ) from None
    return _checked(found, spec, f"{entrypoint.module}.{entrypoint.attribute}")


def _unpickle(spec: TaskSpec) -> TaskTemplate[Any, Any, Any]:
    import cloudpickle

    return _checked(cloudpickle.loads(spec.entrypoint.pickled_task), spec, "the pickled object")


def _checked(found: Any, spec: TaskSpec, where: str) -> TaskTemplate[Any, Any, Any]:
    if not isinstance(found, TaskTemplate):
        from flyte.errors import ModuleLoadError

        raise ModuleLoadError(f"{where} should be the task {spec.name}, but it is a {type(found)}.")
    return found


def _takes_nothing(function: Callable[..., Any] | None) -> bool:
    """Whether a plain function has no parameters, seen without reading its annotations."""
    code = None if hasattr(function, "__wrapped__") else getattr(function, "__code__", None)
    return code is not None and not code.co_argcount + code.co_kwonlyargcount


def _function_of(task: TaskTemplate[Any, Any, Any]) -> Callable[..., Any] | None:
    kind = type(task)
    if not isinstance(task, AsyncFunctionTaskTemplate) or kind.execute is not AsyncFunctionTaskTemplate.execute:
        return None
    prepares_or_finishes = kind.pre is not TaskTemplate.pre or kind.post is not TaskTemplate.post
    return None if prepares_or_finishes else task.func
