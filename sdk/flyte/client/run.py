"""`flyte.run`, `flyte.with_runcontext` and `flyte.rerun`.

A run goes to the platform if one is configured (`flyte.init`), and is carried out in this process otherwise, or with
`mode="local"`. Parameters are checked first, so that a mistake costs neither an upload nor a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flyte.authoring.logs import LogSettings, given_format
from flyte.client.bundle import CopyStyle
from flyte.client.init import is_control_plane_available, require_settings
from flyte.client.run_settings import CacheLookupScope, Mode, RunContext
from flyte.spec.problems import InvalidSetting, InvalidSettingType
from flyte.syncify import syncify

if TYPE_CHECKING:
    from flyte.local.result import LocalRun
    from flyte.remote.run import Run
    from flyte.spec.notification_kinds import Notifications


class Runner:
    """Starts runs with one context. Made by `with_runcontext`."""

    def __init__(self, context: RunContext) -> None:
        self.context = context

    @syncify.method
    async def run(self, task: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Start a run of a task with these inputs, and return it.

        On a platform the run is accepted and durable when this returns. A local run has ended, and a failure is raised.
        Raises TypeError for anything that is no task or for an input of another type, ValueError for missing or
        unknown inputs and settings that cannot be kept.
        """
        return await start(task, args, kwargs, context=self.context)

    @syncify.method
    async def rerun(
        self,
        run_name: str,
        /,
        action_name: str = "a0",
        recover: bool = False,
        force_rerun_actions: Sequence[str] | None = None,
        **inputs: Any,
    ) -> Run:
        """Run an earlier run again, see `flyte.rerun`."""
        return await _rerun(
            run_name,
            action_name=action_name,
            recover=recover,
            force_actions=force_rerun_actions or (),
            inputs=inputs,
            context=self.context,
        )


async def start(
    task: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, context: RunContext
) -> Run | LocalRun | Any:
    """Start a run where the context says."""
    from flyte.authoring.task import TaskTemplate

    mode = context.mode or ("remote" if is_control_plane_available() else "local")
    if not isinstance(task, TaskTemplate):
        return await _start_deployed(task, args, kwargs, mode=mode, context=context)
    # Every setting is read strictly before anything is sent or run.
    task.checked()
    if mode == "local":
        if context.dry_run:
            raise InvalidSetting(
                "dry_run prepares what would be sent to a platform; a local run would carry it out. Leave it out, or "
                "name a platform with flyte.init(endpoint=...).",
                field="dry_run",
            )
        from flyte.local.run import run_locally

        return await run_locally(task, args, kwargs, context=context)
    require_settings()
    from flyte.client.channel import connection
    from flyte.client.submit import submit
    from flyte.client.tracing import submission

    with submission(task.name):
        return await submit(connection(), task, args, kwargs, context=context)


async def _start_deployed(
    task: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, mode: Mode, context: RunContext
) -> Run:
    if not _looks_deployed(task):
        raise TypeError(f"On Flyte tasks can be run, not generic functions or methods '{type(task)}'.")
    if mode == "local":
        raise TypeError("A deployed task runs on the platform only: call flyte.init() and leave mode out.")
    from flyte.client.channel import connection
    from flyte.client.submit import fire, submit_deployed
    from flyte.client.tracing import submission
    from flyte.remote.task import LazyEntity
    from flyte.remote.trigger import TriggerDetails

    if isinstance(task, TriggerDetails):
        if args or kwargs or context != RunContext():
            raise TypeError("A trigger is fired with its own inputs and settings: give it nothing.")
        with submission(f"trigger {task.name}"):
            return await fire(connection(), task)
    details = await task.fetch.aio() if isinstance(task, LazyEntity) else task
    with submission(details.name):
        return await submit_deployed(connection(), details, args, kwargs, context=context)


def _looks_deployed(task: Any) -> bool:
    return type(task).__module__ in ("flyte.remote.task", "flyte.remote.trigger")


async def _rerun(
    run_name: str,
    *,
    action_name: str,
    recover: bool,
    force_actions: Sequence[str],
    inputs: Mapping[str, Any],
    context: RunContext,
) -> Run:
    if force_actions and not recover:
        raise InvalidSetting("force_rerun_actions needs recover=True", field="force_rerun_actions")
    if recover and action_name != "a0":
        raise InvalidSetting("recover takes over a whole run: leave action_name out", field="action_name")
    require_settings()
    from flyte.client.channel import connection
    from flyte.client.reruns import request_rerun
    from flyte.client.tracing import submission

    with submission(f"rerun {run_name}"):
        return await request_rerun(
            connection(),
            run_name,
            action_name="" if action_name == "a0" else action_name,
            recover=recover,
            force_actions=force_actions,
            inputs=inputs,
            context=context,
        )


def with_runcontext(
    mode: Mode | None = None,
    *,
    name: str | None = None,
    service_account: str | None = None,
    version: str | None = None,
    copy_style: CopyStyle = "loaded_modules",
    dry_run: bool = False,
    copy_bundle_to: Path | None = None,
    interactive_mode: bool | None = None,
    raw_data_path: str | None = None,
    run_base_dir: str | None = None,
    run_start_time: datetime | None = None,
    overwrite_cache: bool = False,
    project: str | None = None,
    domain: str | None = None,
    env_vars: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    interruptible: bool | None = None,
    log_level: int | None = None,
    log_format: str = "console",
    user_log_level: int | None = None,
    reset_root_logger: bool = False,
    disable_run_cache: bool = False,
    queue: str | None = None,
    max_action_concurrency: int | None = None,
    notifications: Notifications = None,
    custom_context: dict[str, str] | None = None,
    cache_lookup_scope: CacheLookupScope = "project-domain",
    preserve_original_types: bool = False,
    debug: bool = False,
    tracked: bool = False,
    tracked_strict: bool = False,
    task_queue: str | None = None,
) -> Runner:
    """Return a runner whose runs have these settings.

    - `mode`: "remote" or "local"; by default remote if a platform is configured.
    - `name`: of the run; by default a generated one. The same name with the same content is the same run.
    - `copy_style`: which code is bundled: "loaded_modules", "all" below the root folder, or "none" (needs `version`).
    - `env_vars`, `labels`, `annotations`, `custom_context`: for the whole run; a task's own variables win.
    - `overwrite_cache`: compute everything and replace cached results; `disable_run_cache`: leave the cache alone.
    - `queue` (or `task_queue`): for tasks that name none.
    - `max_action_concurrency`: most actions that run at once; 0 or None for no limit.
    - `log_level` (of the SDK), `user_log_level` (of `flyte.logger`) and `log_format` ("console" or "json") hold here
      and in the tasks, which see them as LOG_LEVEL, USER_LOG_LEVEL and LOG_FORMAT; `reset_root_logger` holds here.
    - `raw_data_path`: prefix for the data of the run. `copy_bundle_to`: folder for a copy of the code bundle.
    - `dry_run`: prepare everything, submit nothing, and return what would have been submitted; refused in local mode.
    - `run_base_dir`, `run_start_time`: local mode only.
    - `preserve_original_types`: accepted; values always come back as the types that they were.
    - `notifications`: what is sent when the run ends, see `flyte.notify`. A local run sends it before it returns.
    - `debug`, `tracked`, `tracked_strict`: refused while they ask for something, since this platform
      would do nothing about it.

    Raises InvalidSetting (a ValueError) or InvalidSettingType (a TypeError), naming the parameter, for a value that
    cannot be kept; TypeError for parameters that are not supported.
    """
    given = dict(locals())
    _refuse_unsupported({name: given.pop(name) for name in _NOT_SUPPORTED})
    given["queue"] = _one_queue(queue, given.pop("task_queue"))
    logs = LogSettings(
        level=given.pop("log_level"),
        user_level=given.pop("user_log_level"),
        format=given_format(given.pop("log_format")),
        reset_root_logger=given.pop("reset_root_logger"),
    )
    logs.apply()
    if isinstance(env_vars, Mapping | None):  # anything else is refused with the other settings
        given["env_vars"] = {**logs.variables(), **(env_vars or {})}
    return Runner(_context(given))


_NOT_SUPPORTED: Final = ("debug", "tracked", "tracked_strict")


def _context(given: Mapping[str, Any]) -> RunContext:
    settings = {name: value for name, value in given.items() if name != "preserve_original_types"}
    for name in ("env_vars", "labels", "annotations", "custom_context"):
        settings[name] = settings[name] or {}
    if settings["copy_bundle_to"] is not None:
        settings["copy_bundle_to"] = Path(settings["copy_bundle_to"])
    return RunContext(**settings)


def _refuse_unsupported(options: Mapping[str, Any]) -> None:
    for parameter, value in options.items():
        if value:
            raise TypeError(f"with_runcontext({parameter}=...) is not supported on this platform")


def _one_queue(queue: str | None, task_queue: str | None) -> str | None:
    if queue is not None and task_queue is not None:
        raise InvalidSettingType(
            "queue and task_queue are two spellings of one parameter of a run. Give only one of them.", field="queue"
        )
    return queue if queue is not None else task_queue


@syncify
async def run(task: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Start a run of a task with these inputs, and return it; see `with_runcontext` for settings.

    On a platform the run is accepted and durable when this returns: `run.wait()` and `run.outputs()` follow it. Without
    a platform the task runs here, and a failure is raised. `task_queue` (or `queue`) names the queue of tasks that name
    none, unless the task has an input of that name.
    """
    spelled = {name: kwargs.pop(name) for name in _QUEUE_SPELLINGS if name in kwargs and not _has_input(task, name)}
    queue = _one_queue(spelled.get("queue"), spelled.get("task_queue"))
    return await start(task, args, kwargs, context=RunContext(queue=queue))


_QUEUE_SPELLINGS: Final = ("queue", "task_queue")


def _has_input(task: Any, name: str) -> bool:
    from flyte.authoring.task import TaskTemplate

    # The inputs of a deployed task are known to the platform only: its settings are given with `with_runcontext`.
    return not isinstance(task, TaskTemplate) or name in task.interface.inputs


@syncify
async def rerun(
    run_name: str,
    action_name: str = "a0",
    recover: bool = False,
    force_rerun_actions: Sequence[str] | None = None,
    allow_missing_source_outputs: bool = False,
    **inputs: Any,
) -> Run:
    """Run an earlier run of the platform again, and return the new run.

    - `action_name`: run only this action, as a root, with the inputs that it had.
    - `recover`: take over what succeeded, except `force_rerun_actions`.
    - `inputs`: change these inputs.
    - `allow_missing_source_outputs`: accepted; results are kept as long as their run, so none is ever missing.
    """
    return await _rerun(
        run_name,
        action_name=action_name,
        recover=recover,
        force_actions=force_rerun_actions or (),
        inputs=inputs,
        context=RunContext(),
    )
