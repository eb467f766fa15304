"""Creating and changing projects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from flyte.spec.names import NameKind, check_labels, check_name
from flyteplane.admin.application.pages import page_of
from flyteplane.admin.application.ports import ProjectStore
from flyteplane.admin.application.setting_rules import spec_rules
from flyteplane.admin.domain.page_token import PageTokens
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
from flyteplane.foundation.repetition import mark_of
from flyteplane.rpc.list_pages import ListPage, whole_list_size

#: Of the name that people read; the id has a rule of its own.
_MOST_NAME_CHARACTERS: Final = 128


class Projects:
    """The use cases of projects. One instance serves all calls."""

    def __init__(self, *, store: ProjectStore, clock: Clock, tokens: PageTokens) -> None:
        self._store = store
        self._clock = clock
        self._tokens = tokens

    async def create(self, project: Project, *, by: str = "", request_id: str = "") -> Project:
        """Store a new project, once for all requests of a caller with the same id.

        Raises InvalidArgument, AlreadyExists.
        """
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
            created_at_us=self._now_us(),
        )
        content = (project.id, project.name, project.description, sorted(project.labels.items()), project.domains)
        return await self._store.create(new, request=mark_of("CreateProject", request_id, by=by, content=content))

    async def update(self, project_id: str, change: ProjectChange, *, by: str = "", request_id: str = "") -> Project:
        """Change what is given, once for all requests of a caller with the same id.

        Raises InvalidArgument, NotFound, AlreadyExists (the request id).
        """
        _check_texts(change.name or "", change.description or "", change.labels or {}, field="")
        labels = None if change.labels is None else sorted(change.labels.items())
        content = (project_id, replace(change, labels=None), labels)
        request = mark_of("UpdateProject", request_id, by=by, content=content)
        found = await self._store.update(project_id, change, now_us=self._now_us(), request=request)
        if found is None:
            raise absent_project(project_id, field="id")
        return found

    async def get(self, project_id: str) -> Project:
        """A project. Raises NotFound."""
        found = await self._store.get(project_id)
        if found is None:
            raise absent_project(project_id, field="id")
        return found

    async def list(
        self, *, include_archived: bool, is_seen: Callable[[Project], bool], size: int, token: str
    ) -> ListPage[Project]:
        """A page of those projects that the caller may see, by id. Raises InvalidArgument (PAGE_SIZE, PAGE_TOKEN)."""

        async def read(after: str, limit: int) -> Sequence[Project]:
            return await self._store.list(include_archived=include_archived, after=after, limit=limit)

        return await page_of(
            read,
            seen=is_seen,
            position=lambda project: project.id,
            size=whole_list_size(size),
            token=token,
            tokens=self._tokens,
            query=repr(("projects", include_archived)),
        )

    def _now_us(self) -> int:
        return int(self._clock.now() * 1e6)


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
