"""The project and domain that a list is about: what the address says, or else the first there is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

import grpc

from flyteapi.admin.v1.project_service_pb2 import ListProjectsRequest
from flyteapi.common.v1.identity_pb2 import Scope

if TYPE_CHECKING:
    from flyteplane.console.visit import Visit

Listed = TypeVar("Listed")

_USUAL_PROJECT: Final = "flytesnacks"
_USUAL_DOMAIN: Final = "development"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeChoice:
    """What was chosen, and what there is to choose."""

    project: str
    domain: str
    projects: Sequence[str]
    domains: Sequence[str]
    whole: bool = False
    """Nothing was chosen: the list is about the whole platform."""

    @property
    def asked(self) -> Scope | None:
        """With what the platform is asked for a list; None: for everything."""
        return None if self.whole else Scope(project=self.project, domain=self.domain)


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


async def listed_for(visit: Visit, ask: Callable[[Scope | None], Awaitable[Listed]]) -> tuple[ScopeChoice, Listed]:
    """What a list of the platform shows: all of it if nothing is chosen, or of a scope where the visitor sees no more.

    Args:
        ask: asks the platform for the list of a scope; None: of everything.
    """
    scope = await chosen_scope(visit)
    if not visit.query.get("project"):
        try:
            whole = replace(scope, whole=True)
            return whole, await ask(whole.asked)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
                raise
    return scope, await ask(scope.asked)


def _one_of(asked: str, there: Sequence[str], *, usual: str) -> str:
    for choice in (asked, usual):
        if choice in there:
            return choice
    return there[0] if there else usual
