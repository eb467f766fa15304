"""Coming in and going out.

The owner of an embedded platform comes in by the link of the platform's folder; on a platform with identities people
bring an API key, which the platform itself judges. Either way the browser gets a cookie that scripts cannot read and
that is sent with no request of another site.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import grpc
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from flyteapi.admin.v1.identity_service_pb2 import WhoAmIRequest
from flyteplane.console.calls import Platform
from flyteplane.console.posting import posted_text
from flyteplane.foundation.errors import InvalidArgument, PlatformError, Unauthenticated
from flyteplane.rpc.errors import as_platform_error

if TYPE_CHECKING:
    from starlette.requests import Request

    from flyteplane.console.entry import Entry

_PATH: Final = "/login"
_LONGEST_KEY: Final = 8192
#: Bytes of a key and of an address, as forms write them. Nobody knows yet who posts them.
_MOST_POSTED: Final = 8 * _LONGEST_KEY
_NO_KEY: Final = "This is no API key. Paste it whole, as it was printed when it was made."


def routes(entry: Entry) -> list[Route]:
    """The routes that need no session."""
    return [
        Route(_PATH, _show(entry), methods=["GET"]),
        Route(_PATH, _bring_key(entry), methods=["POST"]),
        Route("/logout", _leave(entry), methods=["POST"]),
    ]


def to_login(request: Request) -> Response:
    """Send a browser to the login page and back afterwards; anything else is told 401."""
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{_PATH}?next={quote(there)}", status_code=303)
    return Response("Sign in first.", status_code=401, media_type="text/plain")


def forget(request: Request) -> Response:
    """The platform knows the credential no more."""
    return to_login(request)


def _show(entry: Entry) -> Any:
    async def endpoint(request: Request) -> Response:
        following = local_address(request.query_params.get("next", ""))
        token = request.query_params.get("token", "")
        if not token or entry.link is None:
            return _page(entry, following=following)
        if not entry.link.use(token):
            used = "This link was used before, or is of another start. Have a new one printed."
            return _page(entry, following=following, problem=used, status=403)
        return await _come_in(entry, entry.owner_credential(), following=following)

    return endpoint


def _bring_key(entry: Entry) -> Any:
    async def endpoint(request: Request) -> Response:
        try:
            form = await posted_text(request, most_bytes=_MOST_POSTED)
        except InvalidArgument as refusal:
            return _page(entry, following="/", problem=refusal.public_text, status=400)
        given, following = form.get("key"), local_address(str(form.get("next") or ""))
        key = given.strip() if isinstance(given, str) else ""
        if not (key.isascii() and key.isprintable() and 0 < len(key) <= _LONGEST_KEY):
            return _page(
                entry,
                following=following,
                problem=_NO_KEY,
                status=401,
            )
        return await _come_in(entry, key, following=following)

    return endpoint


async def _come_in(entry: Entry, credential: str, *, following: str) -> Response:
    """Ask the platform who this is, and begin a session."""
    try:
        who = await Platform(entry.channel, credential=credential).identity.WhoAmI(WhoAmIRequest())
    except (PlatformError, grpc.aio.AioRpcError) as error:
        public = as_platform_error(error, method=_PATH)
        status = 401 if isinstance(public, Unauthenticated) else 503
        return _page(entry, following=following, problem=public.public_text, status=status)
    # A redirect would still count as coming from the site that led here, and carry no cookie: the page goes on itself.
    page = entry.rendering.render("welcome.html", following=following, subject=who.subject)
    return entry.let_in(HTMLResponse(page), subject=who.subject, credential=credential)


def _leave(entry: Entry) -> Any:
    async def endpoint(request: Request) -> Response:
        response = RedirectResponse(_PATH, status_code=303)
        response.delete_cookie(entry.cookie, path="/", httponly=True, samesite="strict", secure=entry.secure)
        return response

    return endpoint


def _page(entry: Entry, *, following: str, problem: str = "", status: int = 200) -> Response:
    page = entry.rendering.render("login.html", following=following, problem=problem, by_link=entry.link is not None)
    return HTMLResponse(page, status_code=status)


def local_address(address: str) -> str:
    """An address of this console; anything that a browser might take for another place becomes the first page."""
    safe = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if safe and "\\" not in address else "/"
