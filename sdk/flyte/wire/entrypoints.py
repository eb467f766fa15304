"""How a worker finds a task: by module and attribute if it can be imported, by a pickle if not."""

from __future__ import annotations

import sys
from typing import Any

from flyte.authoring.task import TaskTemplate


def locate(task: TaskTemplate[Any, Any, Any], *, module: str | None = None) -> tuple[str, str] | None:
    """Return the module and attribute under which importing finds the task, or None if nothing can.

    `module` is the name that workers know the task's module by, where it differs from the name in this process: a
    script is `__main__` here. An override is found under the name of the task that it was made of.
    """
    func = getattr(task, "func", None)
    home = getattr(func, "__module__", None) or type(task).__module__
    known_as = module or home
    attribute = _attribute_of(task, func, sys.modules.get(home))
    if attribute is None or known_as == "__main__":
        return None
    return known_as, attribute


def pickle_task(task: TaskTemplate[Any, Any, Any]) -> bytes:
    """Return the task as a pickle, its function by value. Raises InvalidSetting if it cannot be pickled."""
    import cloudpickle

    from flyte.spec.problems import InvalidSetting

    try:
        pickled: bytes = cloudpickle.dumps(task)
    except Exception as error:
        raise InvalidSetting(
            f"Task {task.name} lies in no module that a worker could import, and cannot be pickled either: {error}. "
            "Define it at the top level of a module.",
            field="entrypoint",
        ) from error
    return pickled


def _attribute_of(task: TaskTemplate[Any, Any, Any], func: Any, module: Any) -> str | None:
    if module is None:
        return None
    qualified = getattr(func, "__qualname__", "")
    if qualified and _is_same(_resolve(module, qualified), task, func):
        return str(qualified)
    for name, value in vars(module).items():
        if _is_same(value, task, func):
            return str(name)
    return None


def _resolve(module: Any, path: str) -> Any:
    found = module
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


def _is_same(found: Any, task: TaskTemplate[Any, Any, Any], func: Any) -> bool:
    if not isinstance(found, TaskTemplate):
        return False
    return found is task or (func is not None and getattr(found, "func", None) is func and found.name == task.name)
