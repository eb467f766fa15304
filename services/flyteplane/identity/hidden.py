"""The refusals of things that are there, but not for this caller: word for word those of things that are not there."""

from __future__ import annotations

from typing import Any

from flyteplane.foundation.absent import (
    absent_living_run,
    absent_object,
    absent_pool,
    absent_project,
    absent_run,
    absent_secret,
    absent_task,
    absent_trigger,
)
from flyteplane.foundation.errors import NotFound


def no_run(request: Any) -> NotFound:
    """Of a run, as admin knows runs."""
    return absent_run(_run(request))


def no_living_run(request: Any) -> NotFound:
    """Of a run of whose actions something is asked, as the scheduler knows runs."""
    return absent_living_run(_run(request))


def _run(request: Any) -> str:
    action = getattr(request, "action", None)
    run = request.run if action is None or isinstance(action, str) else action.run
    return f"{run.project}/{run.domain}/{run.name}"


def no_task(request: Any) -> NotFound:
    """Of a task version."""
    return absent_task(f"{request.project}/{request.domain}/{request.name}", version=request.version)


def no_trigger(request: Any) -> NotFound:
    """Of a trigger."""
    return absent_trigger(request.id.name, task=request.id.task_name)


def no_project(request: Any) -> NotFound:
    """Of a project."""
    return absent_project(request.id, field="id")


def no_pool(request: Any) -> NotFound:
    """Of a pool of warm replicas."""
    return absent_pool(request.pool)


def no_object(request: Any) -> NotFound:
    """Of an object."""
    return absent_object(request.uri)


def no_secret(request: Any) -> NotFound:
    """Of a secret."""
    scope = request.scope
    return absent_secret(request.key, group=request.group, project=scope.project, domain=scope.domain)
