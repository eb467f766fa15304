"""ProjectService: projects and domains."""

from flyteapi.admin.v1 import project_service_pb2 as pb
from flyteapi.admin.v1.project_service_pb2_grpc import ProjectServiceServicer
from flyteplane.admin.application.projects import Projects
from flyteplane.admin.domain.project import DEFAULT_DOMAINS, Project, ProjectChange
from flyteplane.admin.servicer.context import CallerOf, Context
from flyteplane.admin.servicer.run_messages import timestamp
from flyteplane.identity.callers import Role, Scope, current_caller


class ProjectServicer(ProjectServiceServicer):
    """See `project_service.proto`."""

    def __init__(self, *, projects: Projects, caller_of: CallerOf) -> None:
        self._projects = projects
        self._caller_of = caller_of

    async def CreateProject(self, request: pb.CreateProjectRequest, context: Context) -> pb.CreateProjectResponse:
        asked = request.project
        project = Project(
            id=asked.id,
            name=asked.name,
            description=asked.description,
            labels=dict(asked.labels),
            domains=tuple(asked.domains) or DEFAULT_DOMAINS,
        )
        stored = await self._projects.create(project, by=self._caller_of(context), request_id=request.request_id)
        return pb.CreateProjectResponse(project=_message(stored))

    async def UpdateProject(self, request: pb.UpdateProjectRequest, context: Context) -> pb.UpdateProjectResponse:
        change = ProjectChange(
            name=request.name if request.HasField("name") else None,
            description=request.description if request.HasField("description") else None,
            labels=dict(request.labels) if request.replace_labels else None,
            archived=request.archived if request.HasField("archived") else None,
        )
        stored = await self._projects.update(
            request.id, change, by=self._caller_of(context), request_id=request.request_id
        )
        return pb.UpdateProjectResponse(project=_message(stored))

    async def GetProject(self, request: pb.GetProjectRequest, context: Context) -> pb.GetProjectResponse:
        return pb.GetProjectResponse(project=_message(await self._projects.get(request.id)))

    async def ListProjects(self, request: pb.ListProjectsRequest, context: Context) -> pb.ListProjectsResponse:
        page = await self._projects.list(
            include_archived=request.include_archived,
            is_seen=_is_seen,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListProjectsResponse(projects=map(_message, page.entries), next_page_token=page.next_token)


def _is_seen(project: Project) -> bool:
    caller = current_caller()
    return caller is None or caller.may_somewhere(Role.VIEWER, Scope(project.id))


def _message(project: Project) -> pb.Project:
    return pb.Project(
        id=project.id,
        name=project.name,
        description=project.description,
        labels=dict(project.labels),
        domains=project.domains,
        archived=project.archived,
        created_at=timestamp(project.created_at_us),
    )
