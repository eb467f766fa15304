"""The user's file: imported as Python would import it, with errors that are the user's own.

The root of the code bundle, the folder that holds the file's package and the folder of the file go onto the module path
first, so that the imports that work here work on a worker as well.
"""

from __future__ import annotations

import difflib
import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import rich_click as click

from flyte.cli.errors import user_traceback

if TYPE_CHECKING:
    from flyte.authoring.environment import Environment
    from flyte.authoring.task import TaskTemplate


@dataclass(frozen=True, slots=True)
class UserFile:
    """A file that was imported."""

    path: Path
    module: ModuleType
    environments: tuple[Environment, ...]
    """The environments that are attributes of the module or were made while it was imported."""

    tasks: dict[str, TaskTemplate[Any, Any, Any]]
    """The tasks that are attributes of the module, by attribute."""

    def task(self, name: str) -> TaskTemplate[Any, Any, Any]:
        """Return a task by attribute or full name. Raises ClickException, which suggests what may be meant."""
        if name in self.tasks:
            return self.tasks[name]
        for task in self.tasks.values():
            if task.name == name:
                return task
        if hasattr(self.module, name):
            kind = type(getattr(self.module, name)).__name__
            raise click.ClickException(
                f"{name!r} in {self.path} is no task; it is of type {kind}. Decorate a function with @env.task."
            )
        hint = suggestion(name, self.tasks) or " It has no tasks at all: decorate a function with @env.task."
        raise click.ClickException(f"{self.path} has no task {name!r}.{hint}")


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the names that are near, or with all of them; empty if there are none."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return f" Did you mean {' or '.join(repr(other) for other in near)}?"
    return f" Its tasks are: {', '.join(names)}." if names else ""


def load_user_file(file: str | Path, *, root_dir: Path | None = None) -> UserFile:
    """Import a file and return what it defines.

    Raises ClickException for a file that is missing or no Python, that fails to import (with the user's traceback),
    that defines no environment, or that defines two of one name.
    """
    path = _checked(Path(file))
    from flyte.authoring.registry import environments, with_dependencies
    from flyte.spec.problems import InvalidSetting

    before = {id(environment) for environment in environments()}
    module = _import(path, root_dir=root_dir)
    made = _environments(module, (one for one in environments() if id(one) not in before))
    if not made:
        raise click.ClickException(f"{path} makes no flyte.TaskEnvironment, so there is nothing to run in it.")
    try:
        with_dependencies(made)
    except InvalidSetting as error:
        raise click.ClickException(f"{path}: {error}") from None
    return UserFile(path=path, module=module, environments=made, tasks=_tasks(module))


def _checked(path: Path) -> Path:
    if not path.exists():
        near = suggestion(path.name, (other.name for other in path.parent.glob("*.py")) if path.parent.is_dir() else ())
        raise click.ClickException(f"File {path} does not exist.{near.replace('Its tasks are', 'Files here')}")
    if path.is_dir() or path.suffix != ".py":
        raise click.ClickException(f"{path} is no Python file.")
    return path.resolve()


def _import(path: Path, *, root_dir: Path | None) -> ModuleType:
    from flyte.client.source_root import choose_root, module_name, package_parent
    from flyte.errors import CodeBundleError

    holder = package_parent(path)
    try:
        root = choose_root(path, given=root_dir)
        # What lies in `src` calls itself by what comes below it; a module under two names would be there twice.
        name = module_name(path, root=holder if holder.name == "src" and holder.is_relative_to(root) else root)
    except CodeBundleError as error:
        raise click.ClickException(str(error)) from None
    for folder in (path.parent, holder, root):
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        sys.path.insert(0, str(folder))
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) == str(path):
        return sys.modules[name]
    return _execute(name, path)


def _execute(name: str, path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise click.ClickException(f"{path} cannot be imported as {name}.")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise click.ClickException(f"{path} cannot be imported:\n{user_traceback(error)}") from None
    return module


def _environments(module: ModuleType, made: Iterable[Environment]) -> tuple[Environment, ...]:
    from flyte.authoring.environment import Environment

    named = (value for value in vars(module).values() if isinstance(value, Environment))
    return tuple({id(one): one for one in (*made, *named)}.values())


def _tasks(module: ModuleType) -> dict[str, TaskTemplate[Any, Any, Any]]:
    from flyte.authoring.task import TaskTemplate

    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, TaskTemplate) and not name.startswith("__")
    }
