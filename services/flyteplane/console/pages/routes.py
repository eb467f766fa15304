"""Routes as pages declare them; the application puts sessions, tokens and failures around them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.responses import Response

    from flyteplane.console.visit import Visit

Handler = Callable[["Visit"], Awaitable["Response"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRoute:
    """A path and what answers there."""

    path: str
    handler: Handler
    changes: bool
    """POST, with the form's token; otherwise GET."""


def page(path: str, handler: Handler) -> PageRoute:
    """A page, a piece of one or a stream: reads only, and may be asked for again at any time."""
    return PageRoute(path=path, handler=handler, changes=False)


def change(path: str, handler: Handler) -> PageRoute:
    """A change: the handler is called with `visit.form` once the token is right."""
    return PageRoute(path=path, handler=handler, changes=True)
