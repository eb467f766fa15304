"""The project and domain that a list is about: what the address says, or else the first there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flyteapi.admin.v1.project_service_pb2 import ListProjectsRequest

if TYPE_CHECKING:
    from flyteplane.console.visit import Visit

_USUAL_PROJECT: Final = "flytesnacks"
_USUAL_DOMAIN: Final = "development"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeChoice:
    """What was chosen, and what there is to choose."""

    project: str
    domain: str
    projects: Sequence[str]
    domains: Sequence[str]


async def chosen_scope(visit: Visit) -> ScopeChoice:
    """The scope of a page with the parameters `project` and `domain`."""
    found = (await visit.platform.projects.ListProjects(ListProjectsRequest())).projects
    domains = {project.id: list(project.domains) for project in found}
    project = _one_of(visit.query.get("project", ""), list(domains), usual=_USUAL_PROJECT)
    return ScopeChoice(
        project=project,
        domain=_one_of(visit.query.get("domain", ""), domains.get(project, []), usual=_USUAL_DOMAIN),
        projects=sorted(domains),
        domains=domains.get(project, []),
    )


def _one_of(asked: str, there: Sequence[str], *, usual: str) -> str:
    for choice in (asked, usual):
        if choice in there:
            return choice
    return there[0] if there else usual
