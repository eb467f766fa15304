"""Who is let in: what the application needs to know of sessions, and of the way to the platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc
    from starlette.requests import Request
    from starlette.responses import Response

    from flyteplane.console.login_link import LoginLink
    from flyteplane.console.rendering import Rendering
    from flyteplane.console.security import OwnNames
    from flyteplane.console.sessions import Session, Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One for each console."""

    channel: grpc.aio.Channel
    """To the endpoint of the platform."""
    sessions: Sessions
    rendering: Rendering
    names: OwnNames
    link: LoginLink | None
    """None: there is no owner on this machine who comes in by one."""
    owner_credential: Callable[[], str]
    cookie: str
    """Its name. Cookies do not tell ports apart, so two consoles of a machine need two names."""
    secure: bool
    """Browsers are to send the cookie over TLS only."""

    def session_of(self, request: Request) -> Session | None:
        """The session that a request belongs to; None for nobody."""
        sealed = request.cookies.get(self.cookie)
        return self.sessions.open(sealed) if sealed else None

    def let_in(self, response: Response, *, subject: str, credential: str) -> Response:
        """Begin a session with an answer."""
        sealed = self.sessions.begin(subject=subject, credential=credential)
        response.set_cookie(
            self.cookie, sealed, max_age=None, path="/", httponly=True, samesite="strict", secure=self.secure
        )
        return response
