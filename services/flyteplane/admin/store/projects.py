"""Projects in the database."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from flyteplane.admin.domain.project import (
    DEFAULT_PROJECT,
    Project,
    ProjectChange,
    refuse_closed,
)
from flyteplane.admin.store.answered_requests import is_repeated, note_answered
from flyteplane.admin.store.tables import projects
from flyteplane.foundation.absent import absent_project
from flyteplane.foundation.errors import AlreadyExists, PlatformError
from flyteplane.foundation.repetition import RequestMark
from flyteplane.records import Database

_FIND: Final = select(projects).where(projects.c.id == bindparam("wanted"))


class SqlProjectStore:
    """See `ports.ProjectStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, project: Project, *, request: RequestMark | None = None) -> Project:
        def work(connection: Connection) -> Project | PlatformError | None:
            repeated = is_repeated(connection, request)
            if repeated is True:
                return find_project(connection, project.id)
            if isinstance(repeated, PlatformError):
                return repeated
            if not _insert(connection, project):
                return _taken(project.id)
            note_answered(connection, request, now_us=project.created_at_us)
            return project

        outcome = await self._database.write(work)
        if isinstance(outcome, PlatformError):
            raise outcome
        assert outcome is not None  # projects are never deleted
        return outcome

    async def update(
        self, project_id: str, change: ProjectChange, *, now_us: int, request: RequestMark | None = None
    ) -> Project | None:
        def work(connection: Connection) -> Project | PlatformError | None:
            repeated = is_repeated(connection, request)
            if repeated is True:
                return find_project(connection, project_id)
            if isinstance(repeated, PlatformError):
                return repeated
            changed = _change(connection, project_id, change)
            if changed is not None:
                note_answered(connection, request, now_us=now_us)
            return changed

        outcome = await self._database.write(work)
        if isinstance(outcome, PlatformError):
            raise outcome
        return outcome

    async def get(self, project_id: str) -> Project | None:
        return await self._database.read(lambda connection: find_project(connection, project_id))

    async def list(self, *, include_archived: bool, after: str, limit: int) -> Sequence[Project]:
        query = select(projects).where(projects.c.id > after).order_by(projects.c.id).limit(limit)
        if not include_archived:
            query = query.where(projects.c.archived.is_(False))
        return await self._database.read(lambda connection: [_project(row) for row in connection.execute(query)])


def ensure_default_project(connection: Connection, *, now_us: int) -> None:
    """Make the project that always exists, if it does not."""
    _insert(connection, Project(id=DEFAULT_PROJECT, name=DEFAULT_PROJECT, created_at_us=now_us))


def find_project(connection: Connection, project_id: str) -> Project | None:
    """A project, or None."""
    row = connection.execute(_FIND, {"wanted": project_id}).one_or_none()
    return None if row is None else _project(row)


def refusal_of_place(connection: Connection, project_id: str, *, domain: str, field: str) -> PlatformError | None:
    """Why nothing new may be stored in a project and domain; None if it may.

    An error that is returned instead of raised spares the other works of the same group commit a second run.
    """
    project = find_project(connection, project_id)
    if project is None:
        return absent_project(project_id, field=f"{field}.project" if field else "project")
    try:
        refuse_closed(project, domain=domain, field=field)
    except PlatformError as refusal:
        return refusal
    return None


def _taken(project_id: str) -> AlreadyExists:
    return AlreadyExists(
        f"there is a project {project_id!r}",
        reason="PROJECT_EXISTS",
        field="project.id",
        mend="Choose another id, or change the project with UpdateProject.",
    )


def _insert(connection: Connection, project: Project) -> bool:
    if find_project(connection, project.id) is not None:
        return False
    connection.execute(insert(projects).values(id=project.id, created_at_us=project.created_at_us, **_fields(project)))
    return True


def _change(connection: Connection, project_id: str, change: ProjectChange) -> Project | None:
    project = find_project(connection, project_id)
    if project is None:
        return None
    changed = change.apply(project)
    connection.execute(update(projects).where(projects.c.id == project_id).values(**_fields(changed)))
    return changed


def _fields(project: Project) -> dict[str, Any]:
    return {
        "name": project.name,
        "description": project.description,
        "labels": json.dumps(dict(project.labels)),
        "domains": json.dumps(list(project.domains)),
        "archived": project.archived,
    }


def _project(row: Row[Any]) -> Project:
    return Project(
        id=row.id,
        name=row.name,
        description=row.description,
        labels=json.loads(row.labels),
        domains=tuple(json.loads(row.domains)),
        archived=row.archived,
        created_at_us=row.created_at_us,
    )
