"""Creating and changing projects."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flyte.spec.names import NameKind, check_labels, check_name
from flyteplane.admin.application.ports import ProjectStore
from flyteplane.admin.application.setting_rules import spec_rules
from flyteplane.admin.domain.project import (
    DEFAULT_DOMAINS,
    MOST_DESCRIPTION_CHARACTERS,
    MOST_DOMAINS,
    MOST_LABELS,
    Project,
    ProjectChange,
)
from flyteplane.foundation.absent import absent_project
from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import InvalidArgument

_MOST_NAME_CHARACTERS = 128


class Projects:
    """The use cases of projects. One instance serves all calls."""

    def __init__(self, *, store: ProjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, project: Project) -> Project:
        """Store a new project. Raises InvalidArgument, AlreadyExists."""
        with spec_rules():
            check_name(project.id, kind=NameKind.PROJECT, field="project.id")
            for domain in project.domains:
                check_name(domain, kind=NameKind.DOMAIN, field="project.domains")
        _check_count(len(project.domains), most=MOST_DOMAINS, field="project.domains")
        if len(set(project.domains)) != len(project.domains):
            raise InvalidArgument("a domain is there twice", field="project.domains", mend="Name each domain once.")
        _check_texts(project.name, project.description, project.labels, field="project.")
        new = replace(
            project,
            name=project.name or project.id,
            domains=project.domains or DEFAULT_DOMAINS,
            archived=False,
            created_at_us=int(self._clock.now() * 1e6),
        )
        return await self._store.create(new)

    async def update(self, project_id: str, change: ProjectChange) -> Project:
        """Change what is given. Raises InvalidArgument, NotFound."""
        _check_texts(change.name or "", change.description or "", change.labels or {}, field="")
        found = await self._store.update(project_id, change)
        if found is None:
            raise absent_project(project_id, field="id")
        return found

    async def get(self, project_id: str) -> Project:
        """A project. Raises NotFound."""
        found = await self._store.get(project_id)
        if found is None:
            raise absent_project(project_id, field="id")
        return found

    async def list(self, *, include_archived: bool) -> Sequence[Project]:
        """Projects by id."""
        return await self._store.list(include_archived=include_archived)


def _check_texts(name: str, description: str, labels: Mapping[str, str], *, field: str) -> None:
    _check_count(len(name), most=_MOST_NAME_CHARACTERS, field=f"{field}name", unit="characters")
    _check_count(len(description), most=MOST_DESCRIPTION_CHARACTERS, field=f"{field}description", unit="characters")
    _check_count(len(labels), most=MOST_LABELS, field=f"{field}labels")
    with spec_rules():
        check_labels(dict(labels), field=f"{field}labels")


def _check_count(count: int, *, most: int, field: str, unit: str = "entries") -> None:
    if count > most:
        raise InvalidArgument(
            f"it has {count} {unit}", reason="TOO_LARGE", field=field, limit=f"{most} {unit}", mend="Use fewer."
        )
