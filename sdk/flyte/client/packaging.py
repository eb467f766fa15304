"""From a task to what the platform needs of it: its code, uploaded, and its specification."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyte.authoring.registry import with_dependencies
from flyte.client.bundle import Bundle, CopyStyle, collect_files, make_bundle
from flyte.client.entrypoint import TaskPlace, know_script_as, needs_pickle, place_of
from flyte.errors import CodeBundleError

if TYPE_CHECKING:
    from flyte.authoring.environment import Environment
    from flyte.authoring.task import TaskTemplate
    from flyteapi.task.v1.task_spec_pb2 import TaskSpec


@dataclass(frozen=True, slots=True)
class PackagedTasks:
    """Tasks with the bundle that holds the code of all of them; None if they need none."""

    bundle: Bundle | None
    specs: tuple[TaskSpec, ...]


def package(
    tasks: Iterable[TaskTemplate[Any, Any, Any]],
    *,
    copy_style: CopyStyle,
    root_dir: Path | None,
    interactive: bool = False,
) -> PackagedTasks:
    """Return specifications of tasks, and the bundle that they refer to.

    `interactive`: tasks of the script that runs travel as pickles, as they are in this process.

    Raises InvalidSetting for two environments of one name or a setting that cannot be kept, and CodeBundleError for
    code that cannot be bundled.
    """
    chosen = list(tasks)
    environments = with_dependencies(task.environment for task in chosen if task.environment is not None)
    places = [place_of(task, root_dir=root_dir) for task in chosen]
    bundle = None if copy_style == "none" else _bundle(places, environments, copy_style=copy_style)
    digest = bundle.digest if bundle is not None else ""
    specs = (_spec(task, place, digest, interactive) for task, place in zip(chosen, places, strict=True))
    return PackagedTasks(bundle, tuple(specs))


def _bundle(
    places: Iterable[TaskPlace | None], environments: Iterable[Environment], *, copy_style: CopyStyle
) -> Bundle | None:
    files = {place.file: place.root for place in places if place is not None and place.root is not None}
    roots = set(files.values())
    if not roots:
        return None
    if len(roots) > 1:
        raise CodeBundleError(
            f"The tasks lie in several folders: {', '.join(sorted(map(str, roots)))}. "
            f"Give a root_dir (--root-dir) above them all."
        )
    root = roots.pop()
    includes = {
        base: environment.include
        for environment in environments
        if environment.include and (base := _folder_of(environment)) is not None
    }
    return make_bundle(collect_files(copy_style, root=root, task_files=files, includes=includes), root=root)


def _folder_of(environment: Environment) -> Path | None:
    """Return the folder of the file that an environment's tasks are defined in."""
    for task in getattr(environment, "tasks", {}).values():
        if task.source_file is not None:
            return Path(task.source_file).resolve().parent
    return None


def _spec(task: TaskTemplate[Any, Any, Any], place: TaskPlace | None, digest: str, interactive: bool) -> TaskSpec:
    from flyte.wire.entrypoints import pickle_task
    from flyte.wire.task_spec import task_to_proto

    if place is None:
        return task_to_proto(task, pickled=pickle_task(task))
    digest = digest if place.root is not None else ""
    know_script_as(place)
    if needs_pickle(task, interactive=interactive):
        return task_to_proto(task, pickled=pickle_task(task), bundle_digest=digest)
    return task_to_proto(task, module=place.module, bundle_digest=digest)
