"""`flyte.deploy`: keeps tasks on the platform under a version, to be run later by name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from flyte.authoring.registry import with_dependencies
from flyte.client.bundle import CopyStyle, check_copy_style
from flyte.client.init import require_settings
from flyte.errors import BaseRuntimeError, DeploymentError, RuntimeUserError
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.spec.trigger_rules import check_trigger
from flyte.syncify import syncify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flyte.authoring.environment import Environment
    from flyte.authoring.task import TaskTemplate
    from flyte.client.packaging import PackagedTasks


@dataclass(frozen=True, slots=True)
class Deployment:
    """What was deployed, or would have been: environments by name, and their tasks."""

    version: str
    envs: dict[str, Environment]
    tasks: tuple[str, ...] = field(default=())
    dry_run: bool = False

    def summary_repr(self) -> str:
        """Return one line for people."""
        return f"{len(self.tasks)} tasks of {', '.join(self.envs)} at version {self.version}"

    def table_repr(self) -> list[list[tuple[str, str]]]:
        """Return a row of (heading, text) for each task."""
        return [[("task", name), ("version", self.version)] for name in self.tasks]


@syncify
async def deploy(
    *envs: Environment,
    dry_run: bool = False,
    version: str | None = None,
    interactive_mode: bool | None = None,
    copy_style: CopyStyle = "loaded_modules",
    dryrun: bool | None = None,
) -> list[Deployment]:
    """Deploy environments with all that they depend on; one deployment for each environment given.

    `version` is by default a digest of code and configuration, so deploying the same thing twice changes nothing.
    Raises InvalidSetting (a ValueError) for two environments of one name or a setting that cannot be kept, and
    DeploymentError if the platform refuses.
    """
    check_copy_style(copy_style)
    if copy_style == "none" and not version:
        raise InvalidSetting("Version must be set when copy_style is none", field="version")
    for environment in envs:
        _require_environment(environment)
    only_prepare = dry_run or bool(dryrun)
    settings = require_settings("Configuration") if not only_prepare else None
    return [
        await _deploy_one(
            environment,
            version=version,
            copy_style=copy_style,
            dry_run=only_prepare,
            root_dir=settings.root_dir if settings is not None else None,
            interactive=bool(interactive_mode),
        )
        for environment in envs
    ]


def _require_environment(environment: object) -> None:
    from flyte.authoring.environment import Environment

    if not isinstance(environment, Environment):
        raise InvalidSettingType(f"Expected TaskEnvironment, got {type(environment)}", field="envs")


async def _deploy_one(
    environment: Environment,
    *,
    version: str | None,
    copy_style: CopyStyle,
    dry_run: bool,
    root_dir: Any,
    interactive: bool,
) -> Deployment:
    from flyte.client.packaging import package

    environments = with_dependencies([environment])
    tasks = [task for one in environments for task in _tasks(one)]
    if not tasks:
        raise DeploymentError(f"Environment {environment.name!r} has no tasks to deploy")
    for task in tasks:
        task.checked()
    packaged = package(tasks, copy_style=copy_style, root_dir=root_dir, interactive=interactive)
    chosen = version or _version(packaged)
    for task in tasks:
        for trigger in task.triggers:
            check_trigger(trigger)
    if not dry_run:
        await _send(packaged, version=chosen)
        await _put_triggers(tasks)
    return Deployment(
        version=chosen,
        envs={one.name: one for one in environments},
        tasks=tuple(task.name for task in tasks),
        dry_run=dry_run,
    )


def _tasks(environment: Environment) -> Iterable[TaskTemplate[Any, Any, Any]]:
    found: dict[str, TaskTemplate[Any, Any, Any]] = getattr(environment, "tasks", {})
    return found.values()


def _version(packaged: PackagedTasks) -> str:
    total = hashlib.sha256()
    for spec in packaged.specs:
        total.update(hashlib.sha256(spec.SerializeToString(deterministic=True)).digest())
    return total.hexdigest()[:32]


_IN_DOUBT: Final = "Version {} may have been deployed, all of it or nothing: deploying it again changes nothing then."


async def _send(packaged: PackagedTasks, *, version: str) -> None:
    from flyte.client.channel import connection
    from flyte.client.upload import upload_bundle
    from flyteapi.admin.v1.task_service_pb2 import DeployTasksRequest

    platform = connection()
    project, domain = platform.settings.project, platform.settings.domain
    if packaged.bundle is not None:
        await upload_bundle(platform, packaged.bundle.archive, project=project, domain=domain)
    request = DeployTasksRequest(project=project, domain=domain, version=version, tasks=packaged.specs)
    try:
        await platform.change(platform.tasks.DeployTasks, request, in_doubt=_IN_DOUBT.format(version))
    except RuntimeUserError as error:
        raise DeploymentError(f"Failed to deploy at version {version}: {error}") from error


async def _put_triggers(tasks: Iterable[TaskTemplate[Any, Any, Any]]) -> None:
    from flyte.remote.trigger import put_trigger

    for task in tasks:
        for trigger in task.triggers:
            try:
                await put_trigger(trigger, task_name=task.name, types=task.interface.get_input_types())
            except BaseRuntimeError as error:
                raise DeploymentError(
                    f"Task {task.name} is deployed, but not its trigger {trigger.name!r}: {error}"
                ) from error
