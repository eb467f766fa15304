"""Deployed tasks: the list, a task with its versions, a version, its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteapi.admin.v1.run_service_pb2 import ListRunsRequest
from flyteapi.admin.v1.task_service_pb2 import GetTaskRequest, ListTasksRequest
from flyteplane.console.pages.routes import page
from flyteplane.console.pages.scope import chosen_scope
from flyteplane.console.source import read_source
from flyteplane.console.views.paths import launch_path, task_path
from flyteplane.console.views.runs import run_view
from flyteplane.console.views.tasks import facts, parameters, task_row

if TYPE_CHECKING:
    from starlette.responses import Response

    from flyteapi.admin.v1.task_service_pb2 import DeployedTask
    from flyteplane.console.visit import Visit

_PAGE: Final = 100
_RECENT: Final = 10


async def tasks(visit: Visit) -> Response:
    """The newest version of each task of a project and domain."""
    scope = await chosen_scope(visit)
    found = await visit.platform.tasks.ListTasks(
        ListTasksRequest(
            project=scope.project, domain=scope.domain, page_size=_PAGE, page_token=visit.query.get("page", "")
        )
    )
    return visit.render(
        "tasks.html", scope=scope, tasks=[task_row(task) for task in found.tasks], following=found.next_page_token
    )


async def task(visit: Visit) -> Response:
    """A version of a task, by default the newest, with the other versions and what ran last."""
    named = visit.named
    project, domain, name = named["project"], named["domain"], named["name"]
    wanted = GetTaskRequest(project=project, domain=domain, name=name, version=named.get("version", ""))
    found = (await visit.platform.tasks.GetTask(wanted)).task
    versions = await visit.platform.tasks.ListTasks(
        ListTasksRequest(project=project, domain=domain, name=name, page_size=_PAGE)
    )
    runs = await visit.platform.runs.ListRuns(
        ListRunsRequest(project=project, domain=domain, task_name=name, page_size=_RECENT)
    )
    spec = found.spec
    return visit.render(
        "task.html",
        task=task_row(found, of_version=True),
        description=spec.long_description or spec.short_description,
        inputs=parameters(spec.interface.inputs),
        outputs=parameters(spec.interface.outputs),
        facts=facts(spec),
        links=[(link.name, link.url) for link in spec.links if link.url.startswith(("https://", "http://"))],
        source=f"{task_path(project, domain, name, version=found.version)}/source" if _has_source(found) else "",
        launch=launch_path(project, domain, name, version=named.get("version", "")),
        versions=[task_row(version, of_version=True) for version in versions.tasks],
        runs=[run_view(run) for run in runs.runs],
    )


async def source(visit: Visit) -> Response:
    """The module of a version, out of its code bundle."""
    named = visit.named
    wanted = GetTaskRequest(
        project=named["project"], domain=named["domain"], name=named["name"], version=named["version"]
    )
    found = (await visit.platform.tasks.GetTask(wanted)).task
    text = await read_source(visit.platform, found.spec.entrypoint, project=found.project, domain=found.domain)
    return visit.render(
        "source.html", task=task_row(found, of_version=True), module=found.spec.entrypoint.module, text=text
    )


def _has_source(found: DeployedTask) -> bool:
    entrypoint = found.spec.entrypoint
    return bool(entrypoint.bundle_digest and entrypoint.module)


ROUTES: Final = (
    page("/tasks", tasks),
    page("/tasks/{project}/{domain}/{name}", task),
    page("/tasks/{project}/{domain}/{name}/{version}", task),
    page("/tasks/{project}/{domain}/{name}/{version}/source", source),
)
