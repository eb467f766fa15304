"""Where the code of a task is: the file, the root of its bundle, and the name that a worker can import it under.

For a script that runs as `__main__` that is the name of its file. Code that lies in no file (typed into an interpreter
or a notebook) has no place, and the task travels as a pickle. So does what a script makes only when it is run, below
`if __name__ == "__main__":`, because importing the script would not make it.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from flyte.client.source_root import choose_root, import_folders, module_name
from flyte.types.pickles import ScriptModule

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


def know_script_as(place: TaskPlace) -> None:
    """Note the name under which workers import the script that runs here: their pickles name its classes so."""
    from flyte.types.pickles import find_in_script

    main = sys.modules.get("__main__")
    if _source_file(main) == place.file:
        find_in_script(place.module)


def needs_pickle(task: TaskTemplate[Any, Any, Any], *, interactive: bool) -> bool:
    """Tell whether importing the script that a task is defined in would not make the task.

    `interactive`: whether the code that lies in the script is to be sent as it is in this process, whatever it is.
    """
    from flyte.wire.entrypoints import locate

    if getattr(task, "__module__", "") != "__main__":
        return False
    found = locate(task, module="main")
    file = _source_file(sys.modules.get("__main__"))
    if interactive or found is None or file is None:
        return True
    return found[1].partition(".")[0] in _made_when_run(file, file.stat().st_mtime_ns)


def script_of(task: TaskTemplate[Any, Any, Any], *, root_dir: Path | None, interactive: bool) -> ScriptModule | None:
    """Return how workers import the script that runs here; None unless a task of it is sent, by name."""
    if getattr(task, "__module__", "") != "__main__" or needs_pickle(task, interactive=interactive):
        return None
    place = place_of(task, root_dir=root_dir)
    if place is None:
        return None
    return ScriptModule(module=place.module, made_when_run=_made_when_run(place.file, place.file.stat().st_mtime_ns))


@functools.lru_cache(maxsize=8)
def _made_when_run(script: Path, _changed_ns: int) -> frozenset[str]:
    """Return the names that only the main guards of a script bind."""
    try:
        body = ast.parse(script.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return frozenset()
    guards = [statement for statement in body if isinstance(statement, ast.If) and _is_main_guard(statement.test)]
    always = [statement for statement in body if statement not in guards]
    made = {name for guard in guards for statement in guard.body for name in _bound_in(statement)}
    kept = {
        name
        for statement in [*always, *(other for guard in guards for other in guard.orelse)]
        for name in _bound_in(statement)
    }
    return frozenset(made - kept)


def _is_main_guard(test: ast.expr) -> bool:
    return ast.unparse(test) in ("__name__ == '__main__'", "'__main__' == __name__")


def _bound_in(node: ast.AST) -> Iterator[str]:
    """The names that a statement binds in the module, and not in functions or classes of it."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.alias):
        yield (node.asname or node.name).partition(".")[0]
    for inner in ast.iter_child_nodes(node):
        yield from _bound_in(inner)


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
