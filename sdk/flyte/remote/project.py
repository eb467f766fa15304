"""Projects of the platform."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from flyte.client.call_ids import new_request_id
from flyte.client.channel import connection
from flyte.client.pages import pages
from flyte.remote.filters import Order, SortBy, refuse_filters, seconds_of
from flyte.remote.message_view import MessageView
from flyte.syncify import syncify
from flyteapi.admin.v1 import project_service_pb2 as api

if TYPE_CHECKING:
    from flyte.client.channel import Connection

_ORDERS: Final[Mapping[str, Callable[[api.Project], Any]]] = {
    "id": lambda project: project.id,
    "name": lambda project: project.name,
    "created_at": seconds_of("created_at"),
}


class Project(MessageView):
    """A project with its domains."""

    def __init__(self, message: api.Project) -> None:
        self.message = message

    def __repr__(self) -> str:
        return f"Project(id={self.id!r}, name={self.name!r}{', archived' if self.archived else ''})"

    @property
    def id(self) -> str:
        """The name in all other places; never changes."""
        return self.message.id

    @property
    def name(self) -> str:
        """The name for people."""
        return self.message.name

    @property
    def description(self) -> str:
        """What it is for."""
        return self.message.description

    @property
    def domains(self) -> tuple[str, ...]:
        """Its domains."""
        return tuple(self.message.domains)

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return dict(self.message.labels)

    @property
    def archived(self) -> bool:
        """Whether it accepts no more runs."""
        return self.message.archived

    @syncify.class_method
    @classmethod
    async def create(
        cls, id: str, name: str, description: str = "", labels: Mapping[str, str] | None = None
    ) -> Project:
        """Make a project. Raises RuntimeUserError with code AlreadyExists if the id is taken."""
        project = api.Project(id=id, name=name, description=description, labels=labels or {})
        platform = connection()
        request = api.CreateProjectRequest(project=project, request_id=new_request_id())
        return cls((await platform.change(platform.projects.CreateProject, request)).project)

    @syncify.class_method
    @classmethod
    async def get(cls, name: str) -> Project:
        """Return a project by id. Raises RuntimeUserError with code NotFound if there is none."""
        platform = connection()
        return cls((await platform.call(platform.projects.GetProject, api.GetProjectRequest(id=name))).project)

    @syncify.iterator_class_method
    @classmethod
    async def listall(
        cls, filters: str | None = None, sort_by: SortBy | None = None, archived: bool = False
    ) -> AsyncIterator[Project]:
        """Yield the projects by id: those in use, or those that are archived.

        Raises ValueError for a filter, and for an order that there is not.
        """
        refuse_filters({"filters": filters}, of="Project.listall")
        order = Order(sort_by, ("id", "asc"), _ORDERS)
        order.check(of="Project.listall")
        async for message in order.of(_listed(connection(), archived=archived)):
            yield cls(message)

    @syncify.class_method
    @classmethod
    async def update(
        cls,
        id: str,
        name: str | None = None,
        description: str | None = None,
        labels: Mapping[str, str] | None = None,
        state: Literal["archived", "active"] | None = None,
    ) -> Project:
        """Change what is given; labels replace all labels."""
        request = api.UpdateProjectRequest(
            id=id,
            name=name,
            description=description,
            labels=labels or {},
            replace_labels=labels is not None,
            archived=None if state is None else state == "archived",
            request_id=new_request_id(),
        )
        platform = connection()
        return cls((await platform.change(platform.projects.UpdateProject, request)).project)

    @syncify.method
    async def archive(self) -> Project:
        """Accept no more runs."""
        return await Project.update.aio(self.id, state="archived")

    @syncify.method
    async def unarchive(self) -> Project:
        """Accept runs again."""
        return await Project.update.aio(self.id, state="active")


async def _listed(platform: Connection, *, archived: bool) -> AsyncIterator[api.Project]:
    request = api.ListProjectsRequest(include_archived=archived)
    async for page in pages(platform, platform.projects.ListProjects, request):
        for message in page.projects:
            if message.archived == archived:
                yield message
