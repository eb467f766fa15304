"""What stands before every page, whatever it is.

    the name that was asked for     has to be one of ours: a name of somebody else's that leads to this machine (DNS
                                    rebinding) would let their page read ours
    changes                         have to come from a page of ours: Origin, Sec-Fetch-Site, and then the form's token
    answers                         allow no script or style but our files, no frame around, no request elsewhere

All decisions are functions of the request's headers, without state.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_OURSELVES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_READING: Final = frozenset({"GET", "HEAD"})

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: For what users wrote in HTML: a page of no origin that can load nothing, send nothing and run nothing.
POLICY_OF_REPORTS: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; media-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_OTHER_NAME: Final = (
    "This console is not known by that name. Open it at the address that `flyte console` prints, or have its operator "
    "give it this name (console.public_url)."
)
_OTHER_SITE: Final = (
    "Changes are made from the pages of this console only. Open the page here, and make the change there."
)
_NO_SITE: Final = "A change has to say where it comes from (Origin). Programs use the API or the command line instead."
_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    # A stricter one would have browsers send "Origin: null" with our own forms.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_UNLESS_SAID: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNames:
    """The names under which people may reach the console."""

    public_host: str = ""
    """`host` or `host:port` of the public address; empty for none."""
    any_host: bool = False
    """Browsers come by TLS and compare the name with the certificate themselves: a stranger's name leads nowhere."""

    def knows(self, host: str) -> bool:
        """Whether a Host header names us: this machine by itself, on whatever port, or the public address."""
        if not host:
            return False
        if self.any_host:
            return True
        if self.public_host and host.lower() == self.public_host.lower():
            return True
        try:
            return (urlsplit(f"//{host}").hostname or "") in _OURSELVES
        except ValueError:
            return False


def refusal_of(method: str, headers: Mapping[str, str], *, names: OwnNames) -> str:
    """Why a request is not answered; empty if nothing is wrong with it."""
    host = headers.get("host", "")
    if not names.knows(host):
        return _OTHER_NAME
    if method in _READING:
        return ""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return _OTHER_SITE
    origin = headers.get("origin", "")
    # Every browser sends one of the two with a POST. Programs send neither: for them there are the API and the CLI.
    if not origin and "sec-fetch-site" not in headers:
        return _NO_SITE
    if origin and urlsplit(origin).netloc.lower() != host.lower():
        return _OTHER_SITE
    return ""


class Guard:
    """Wraps the application."""

    def __init__(self, app: App, *, names: OwnNames) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = refusal_of(scope["method"], headers, names=self._names)
        guarded = _with_headers(send)
        if refusal:
            await _refuse(guarded, refusal)
            return
        await self._app(scope, receive, guarded)


def _with_headers(send: Send) -> Send:
    async def guarded(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            said = {name.lower() for name, _ in message["headers"]}
            fallback = [(name, value) for name, value in _UNLESS_SAID if name not in said]
            message["headers"] = [*message["headers"], *_ALWAYS, *fallback]
        await send(message)

    return guarded


async def _refuse(send: Send, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
