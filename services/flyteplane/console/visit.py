"""One request of somebody who was let in: what a page is given, and how it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import HTMLResponse, RedirectResponse, Response

from flyteplane.console.calls import Platform

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from flyteplane.console.rendering import Rendering
    from flyteplane.console.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Made anew for each request."""

    request: Request
    session: Session
    platform: Platform
    """Calls in the name of the visitor."""
    rendering: Rendering
    form: FormData | Mapping[str, Any] = field(default_factory=dict)
    """Fields of a change, uploads included (`starlette.datastructures.UploadFile`). Empty for pages."""

    @property
    def query(self) -> Mapping[str, str]:
        """Parameters of the address; the last of those with the same name."""
        return self.request.query_params

    @property
    def named(self) -> Mapping[str, str]:
        """Parts of the path, by name."""
        return self.request.path_params

    def render(self, template: str, /, *, status: int = 200, **values: Any) -> Response:
        """A page. Templates that extend `base.html` are given who looks and the token that forms carry."""
        path = self.request.url.path
        page = self.rendering.render(template, session=self.session, path=path, fixed_menu=MENU, **values)
        return HTMLResponse(page, status_code=status)

    def piece(self, template: str, /, **values: Any) -> str:
        """HTML of a part of a page; its forms carry the token of the session."""
        return self.rendering.render(template, session=self.session, **values)

    def go_to(self, path: str) -> Response:
        """After a change: look at `path`, which starts with a slash. Going back does not repeat the change."""
        return RedirectResponse(path, status_code=303)


#: The menu of every page: path and text.
MENU: Final = (
    ("/runs", "Runs"),
    ("/tasks", "Tasks"),
    ("/triggers", "Triggers"),
    ("/queues", "Queues"),
    ("/pools", "Pools"),
    ("/secrets", "Secrets"),
    ("/clusters", "Clusters"),
)
