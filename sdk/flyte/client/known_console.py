"""Where people look at the platform of this process in a browser, once the platform has said so."""

from __future__ import annotations

_urls: dict[str, str] = {}


def remember_console(endpoint: str, url: str) -> None:
    """Note what the platform at an endpoint said; an empty address means that it has no console."""
    _urls[endpoint] = url.rstrip("/")


def known_console(endpoint: str | None) -> str:
    """Return the address, without a slash at its end; empty while none is known."""
    return _urls.get(endpoint or "", "")
