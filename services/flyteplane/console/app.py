"""The application: pages with sessions, tokens and failures around them.

Made at the first connection, because most platforms are never looked at and need not load any of it.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import grpc
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from flyteplane.console import login
from flyteplane.console.calls import Platform
from flyteplane.console.failures import NOT_FOUND, Failure, failure_of
from flyteplane.console.pages import families
from flyteplane.console.posting import posted_form
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
_TOO_OLD: Final = PermissionDenied(
    "this form is of a session that is over", mend="Go back, load the page again and send it once more."
)


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
        try:
            async with posted_form(request) as form:
                if _has_token(request, form, visit.session.form_token):
                    return await _answer(replace(visit, form=form), declared)
                raise _TOO_OLD
        except PlatformError as error:
            return failed(visit, failure_of(error, changing=True))

    return endpoint


def _has_token(request: Request, form: FormData, token: str) -> bool:
    sent = request.headers.get("x-form-token") or form.get("form_token")
    return isinstance(sent, str) and hmac.compare_digest(sent.encode(), token.encode())


def _visit(entry: Entry, request: Request) -> Visit | None:
    session = entry.session_of(request)
    if session is None:
        return None
    platform = Platform(entry.channel, credential=session.credential)
    return Visit(request=request, session=session, platform=platform, rendering=entry.rendering)


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
    """The page of a failure. Its way back is the page that the visitor came from."""
    url = visit.request.url
    came_from = urlsplit(visit.request.headers.get("referer", ""))
    back = login.local_address(f"{came_from.path}?{came_from.query}") if came_from.netloc == url.netloc else ""
    address = login.local_address(f"{url.path}?{url.query}" if url.query else url.path)
    return visit.render("failure.html", status=failure.status, failure=failure, address=address, back=back)


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
