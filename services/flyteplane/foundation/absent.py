"""The refusals of things that are not there, in one place for whoever has to say so.

A service says it of what it does not have; the edge says it of what is there and is not for the caller. The two must be
the same to the letter, or the difference would tell that there is something.
"""

from typing import Final

from flyteplane.foundation.errors import NotFound

#: Of the name of a pool; fewer characters name none.
SHORTEST_POOL_PREFIX: Final = 8
_SEE_RUNS: Final = "`flyte get run` lists the runs that are there."


def absent_run(run: str) -> NotFound:
    """Of a run, "project/domain/name", as admin knows runs."""
    return NotFound(
        f"there is no run {run}",
        reason="RUN_NOT_FOUND",
        field="run",
        mend=_SEE_RUNS,
    )


def absent_living_run(run: str) -> NotFound:
    """Of a run of whose actions something is asked, as the scheduler knows runs."""
    return NotFound(f"run {run} does not exist", field="run", mend=_SEE_RUNS)


def absent_task(task: str, *, version: str) -> NotFound:
    """Of a task, "project/domain/name"; `version` is empty for the newest."""
    what = f"{task} version {version!r}" if version else task
    return NotFound(
        f"no task {what} is deployed",
        reason="TASK_NOT_FOUND",
        field="deployed",
        mend="Deploy it with `flyte deploy`; `flyte get task` lists what is there.",
    )


def absent_trigger(trigger: str, *, task: str) -> NotFound:
    """Of a trigger of a task."""
    return NotFound(
        f"the task {task} has no trigger {trigger!r}",
        reason="TRIGGER_NOT_FOUND",
        field="id",
        mend="`flyte get trigger` lists what there is.",
    )


def absent_project(project: str, *, field: str) -> NotFound:
    """Of a project; `field` is that of the request that names it."""
    return NotFound(
        f"there is no project {project!r}",
        reason="PROJECT_NOT_FOUND",
        field=field,
        mend=f"Create it with `flyte create project {project}`, or name another one.",
    )


def absent_pool(pool: str, *, several: bool = False) -> NotFound:
    """Of a pool of warm replicas; `several` have a name that begins like this."""
    known = "several pools match it" if several else "no living pool is called so"
    return NotFound(
        f"there is no pool {pool!r}: {known}",
        reason="POOL_NOT_FOUND",
        field="pool",
        mend=f"Give the full name or a unique prefix of at least {SHORTEST_POOL_PREFIX} characters.",
    )


def absent_object(uri: str) -> NotFound:
    """Of an object of the platform's store."""
    return NotFound(f"there is no object {uri!r}", reason="OBJECT_NOT_FOUND", field="uri")


def absent_secret(key: str, *, group: str, project: str, domain: str) -> NotFound:
    """Of a secret in a scope; empty parts of the scope are wider ones."""
    name = f"{group}/{key}" if group else key
    parts = [f"project {project}"] * bool(project) + [f"domain {domain}"] * bool(domain)
    return NotFound(
        f"there is no secret {name!r} in {' and '.join(parts) or 'the organisation'}",
        reason="SECRET_NOT_FOUND",
        field="key",
        mend=f"Create it with `flyte create secret {key}`, or name the scope that it is in.",
    )
