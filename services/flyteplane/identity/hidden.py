"""The refusals of things that are there, but not for this caller: word for word those of things that are not there."""

from __future__ import annotations

from typing import Any

from flyteplane.foundation.errors import NotFound


def no_run(request: Any) -> NotFound:
    """Of a run, as admin knows runs."""
    run = _run(request)
    return NotFound(
        f"there is no run {run.project}/{run.domain}/{run.name}",
        reason="RUN_NOT_FOUND",
        field="run",
        mend="`flyte get run` lists the runs that are there.",
    )


def no_living_run(request: Any) -> NotFound:
    """Of a run of whose actions something is asked, as the scheduler knows runs."""
    run = _run(request)
    return NotFound(f"run {run.project}/{run.domain}/{run.name} does not exist", field="run")


def _run(request: Any) -> Any:
    action = getattr(request, "action", None)
    return request.run if action is None or isinstance(action, str) else action.run


def no_task(request: Any) -> NotFound:
    """Of a task version."""
    what = f"{request.project}/{request.domain}/{request.name}"
    return NotFound(
        f"no task {what}{f' version {request.version!r}' if request.version else ''} is deployed",
        reason="TASK_NOT_FOUND",
        field="deployed",
        mend="Deploy it with `flyte deploy`; `flyte get task` lists what is there.",
    )


def no_trigger(request: Any) -> NotFound:
    """Of a trigger."""
    return NotFound(
        f"the task {request.id.task_name} has no trigger {request.id.name!r}",
        reason="TRIGGER_NOT_FOUND",
        field="id",
        mend="`flyte get trigger` lists what there is.",
    )


def no_project(request: Any) -> NotFound:
    """Of a project."""
    return NotFound(
        f"there is no project {request.id!r}",
        reason="PROJECT_NOT_FOUND",
        field="id",
        mend=f"Create it with `flyte create project {request.id}`, or name another one.",
    )


def no_pool(request: Any) -> NotFound:
    """Of a pool of warm replicas."""
    return NotFound(
        f"there is no pool {request.pool!r}: no living pool is called so",
        reason="POOL_NOT_FOUND",
        field="pool",
        mend="Give the full name or a unique prefix of at least 8 characters.",
    )


def no_object(request: Any) -> NotFound:
    """Of an object."""
    return NotFound(f"there is no object {request.uri!r}", reason="OBJECT_NOT_FOUND", field="uri")


def no_secret(request: Any) -> NotFound:
    """Of a secret."""
    project, domain = request.scope.project, request.scope.domain
    parts = [f"project {project}"] * bool(project) + [f"domain {domain}"] * bool(domain)
    name = f"{request.group}/{request.key}" if request.group else request.key
    return NotFound(
        f"there is no secret {name!r} in {' and '.join(parts) or 'the organisation'}",
        reason="SECRET_NOT_FOUND",
        field="key",
        mend=f"Create it with `flyte create secret {request.key}`, or name the scope that it is in.",
    )
