"""The application: pages with sessions, tokens and failures around them.

Made at the first connection, because most platforms are never looked at and need not load any of it.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Final

import grpc
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from flyteplane.console import login
from flyteplane.console.calls import Platform
from flyteplane.console.failures import NOT_FOUND, Failure, failure_of
from flyteplane.console.pages import families
from flyteplane.console.security import Guard
from flyteplane.console.visit import MENU, Visit
from flyteplane.foundation.errors import PermissionDenied, PlatformError, Unauthenticated
from flyteplane.rpc.errors import as_platform_error

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

    from flyteplane.console.entry import Entry
    from flyteplane.console.pages import PageRoute
    from flyteplane.console.security import App

#: Nothing that the platform names is longer; it would not fit into what a refusal of the platform may carry either.
_LONGEST_NAME: Final = 1024
_FOREVER: Final = "public, max-age=31536000, immutable"
#: A launch form has a few for each row of a list.
_MOST_FIELDS: Final = 5000
#: Bytes of a form's plain fields; files are spooled to disk and have the limits of the platform.
_MOST_FIELD_BYTES: Final = 16 * 1024 * 1024

Endpoint = "Callable[[Request], Awaitable[Response]]"


def make_app(entry: Entry) -> App:
    """The application, guarded."""
    routes = [
        Route("/", _to_runs),
        Route("/static/{version}/{name}", _static(entry)),
        *login.routes(entry),
        *(_route(entry, declared) for declared in families()),
    ]
    handlers: Any = {404: _not_found(entry)}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), names=entry.names)


def _route(entry: Entry, declared: PageRoute) -> Route:
    endpoint = _changing(entry, declared) if declared.changes else _reading(entry, declared)
    return Route(declared.path, endpoint, methods=["POST" if declared.changes else "GET"])


def _reading(entry: Entry, declared: PageRoute) -> Any:
    async def endpoint(request: Request) -> Response:
        visit = _visit(entry, request)
        if visit is None:
            return login.to_login(request)
        return await _answer(visit, declared)

    return endpoint


def _changing(entry: Entry, declared: PageRoute) -> Any:
    async def endpoint(request: Request) -> Response:
        visit = _visit(entry, request)
        if visit is None:
            return login.to_login(request)
        async with request.form(max_fields=_MOST_FIELDS, max_part_size=_MOST_FIELD_BYTES) as form:
            if not _has_token(request, form, visit.session.form_token):
                refusal = PermissionDenied("this form is too old", mend="Load the page again.")
                return failed(visit, failure_of(refusal, changing=True))
            return await _answer(_visit(entry, request, form=form) or visit, declared)

    return endpoint


def _has_token(request: Request, form: FormData, token: str) -> bool:
    sent = request.headers.get("x-form-token") or form.get("form_token")
    return isinstance(sent, str) and hmac.compare_digest(sent.encode(), token.encode())


def _visit(entry: Entry, request: Request, *, form: Any = None) -> Visit | None:
    session = entry.session_of(request)
    if session is None:
        return None
    platform = Platform(entry.channel, credential=session.credential)
    given = {} if form is None else {"form": form}
    return Visit(request=request, session=session, platform=platform, rendering=entry.rendering, **given)


async def _answer(visit: Visit, declared: PageRoute) -> Response:
    """The page, or the failure of a call that it made."""
    if any(len(name) > _LONGEST_NAME for name in visit.named.values()):
        return failed(visit, NOT_FOUND)
    try:
        return await declared.handler(visit)
    except (PlatformError, grpc.aio.AioRpcError) as error:
        public = as_platform_error(error, method=declared.path)
    if isinstance(public, Unauthenticated):
        return login.forget(visit.request)
    return failed(visit, failure_of(public, changing=declared.changes))


def failed(visit: Visit, failure: Failure) -> Response:
    """The page of a failure."""
    return visit.render("failure.html", status=failure.status, failure=failure)


def _not_found(entry: Entry) -> Any:
    async def handler(request: Request, _: Exception) -> Response:
        visit = _visit(entry, request)
        return login.to_login(request) if visit is None else failed(visit, NOT_FOUND)

    return handler


def _static(entry: Entry) -> Any:
    async def endpoint(request: Request) -> Response:
        file = entry.rendering.files.get(request.path_params["name"])
        if file is None:
            return PlainTextResponse("Not found", status_code=404)
        current = request.path_params["version"] == entry.rendering.version
        caching = _FOREVER if current else "no-store"
        return Response(file.content, media_type=file.media_type, headers={"cache-control": caching})

    return endpoint


async def _to_runs(_: Request) -> Response:
    return RedirectResponse(MENU[0][0], status_code=303)
