"""Where the code of a task is: the file, the root of its bundle, and the name that a worker can import it under.

For a script that runs as `__main__` that is the name of its file. Code that lies in no file (typed into an interpreter
or a notebook) has no place, and the task travels as a pickle.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from flyte.client.source_root import choose_root, import_folders, module_name

if TYPE_CHECKING:
    from flyte.authoring.task import TaskTemplate


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlace:
    """Where a task's module is."""

    module: str
    file: Path
    root: Path | None
    """The root of the bundle that holds the file; None if the module is installed and needs no bundle."""


def place_of(task: TaskTemplate[Any, Any, Any], *, root_dir: Path | None) -> TaskPlace | None:
    """Return where a task is, None if its code lies in no file.

    Raises CodeBundleError if the file does not lie below a root that was given, or cannot be imported from there.
    """
    module = sys.modules.get(getattr(task, "__module__", "") or "")
    file = _source_file(module)
    if module is None or file is None:
        return None
    if _is_installed(file):
        return TaskPlace(module=module.__name__, file=file, root=None)
    root = choose_root(file, given=root_dir)
    return TaskPlace(module=_importable_name(module, file, root), file=file, root=root)


def _source_file(module: ModuleType | None) -> Path | None:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py") or not Path(file).is_file():
        return None
    return Path(file).resolve()


def _importable_name(module: ModuleType, file: Path, root: Path) -> str:
    """Return the module's own name if the worker can import it under that, else the name of its file below the root."""
    if module.__name__ != "__main__":
        base = _base_folder(module.__name__, file)
        if base is not None and (base == root or _relative(base, root) in import_folders(root)):
            return module.__name__
    return module_name(file, root=root)


def _base_folder(name: str, file: Path) -> Path | None:
    """Return the folder from which a file is imported under a name; None if the name does not fit the file."""
    parts = name.split(".")
    path = file.parent if file.name == "__init__.py" else file.with_suffix("")
    return path.parents[len(parts) - 1] if list(path.parts[-len(parts) :]) == parts else None


def _relative(folder: Path, root: Path) -> str | None:
    return str(folder.relative_to(root)) if folder.is_relative_to(root) else None


def _is_installed(file: Path) -> bool:
    return bool({"site-packages", "dist-packages"} & set(file.parts))
