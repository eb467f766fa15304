"""Projects and their domains: the places where runs and task versions live."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from flyteplane.foundation.errors import FailedPrecondition, NotFound

DEFAULT_PROJECT: Final = "flytesnacks"
DEFAULT_DOMAINS: Final = ("development", "staging", "production")
#: More would not fit on a page of people's attention; the store does not care.
MOST_DOMAINS: Final = 32
MOST_LABELS: Final = 64
MOST_DESCRIPTION_CHARACTERS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project."""

    id: str
    name: str = ""
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    domains: tuple[str, ...] = DEFAULT_DOMAINS
    archived: bool = False
    """An archived project accepts no runs and no task versions; what is there stays readable."""
    created_at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectChange:
    """What to change about a project; None leaves a field as it is."""

    name: str | None = None
    description: str | None = None
    labels: Mapping[str, str] | None = None
    archived: bool | None = None

    def apply(self, project: Project) -> Project:
        """The project after the change."""
        return replace(
            project,
            name=project.name if self.name is None else self.name,
            description=project.description if self.description is None else self.description,
            labels=project.labels if self.labels is None else dict(self.labels),
            archived=project.archived if self.archived is None else self.archived,
        )


def refuse_closed(project: Project, *, domain: str, field: str) -> None:
    """Let pass a project that accepts new things in a domain.

    Raises:
        NotFound: DOMAIN_NOT_FOUND; the project has no such domain.
        FailedPrecondition: PROJECT_ARCHIVED.
    """
    if domain not in project.domains:
        raise NotFound(
            f"the project {project.id!r} has no domain {domain!r}",
            reason="DOMAIN_NOT_FOUND",
            field=f"{field}.domain" if field else "domain",
            mend=f"Use one of {', '.join(project.domains)}.",
        )
    if project.archived:
        raise FailedPrecondition(
            f"the project {project.id!r} is archived",
            reason="PROJECT_ARCHIVED",
            mend="Restore it, or use another project.",
        )
