"""How an endpoint is written, and whether it is spoken to with TLS."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

DEFAULT_PORT: Final = 443
"""Where gRPC connects to a host without a port."""


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint as gRPC takes it."""

    address: str
    secure: bool

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Of an address that is not that of a socket."""
        parts = urlsplit(f"//{self.address}")
        return parts.hostname or "", parts.port or DEFAULT_PORT


def parse_endpoint(endpoint: str, *, insecure: bool | None = None, trusts: bool = False) -> Target:
    """Return the target of `unix:PATH`, `HOST:PORT`, `dns:///HOST:PORT` or a http(s) URL.

    TLS is used unless `insecure` says no, the URL is plain http, or the endpoint is a socket or a loopback address.
    With a https URL, or if the client names whom it trusts, loopback addresses are no exception.

    Raises ValueError for an endpoint that names no host, or a port that is none.
    """
    text = endpoint.strip()
    if text.startswith("unix:"):
        return Target(address=text, secure=False)
    url = urlsplit(text if "://" in text else f"//{text}")
    authority = url.netloc or url.path.lstrip("/")
    host = urlsplit(f"//{authority}").hostname
    if not host or any(character.isspace() for character in host):
        raise ValueError(f"Endpoint {endpoint!r} names no host. Use unix:PATH or HOST:PORT.")
    try:
        port = urlsplit(f"//{authority}").port
    except ValueError:
        raise ValueError(f"Endpoint {endpoint!r} has a port that is no number from 0 to 65535.") from None
    if url.scheme in ("http", "https") and port is None:
        authority = f"{authority}:{443 if url.scheme == 'https' else 80}"
    asked = url.scheme == "https" or trusts or not _is_loopback(host)
    secure = not insecure if insecure is not None else url.scheme != "http" and asked
    return Target(address=authority, secure=secure)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
