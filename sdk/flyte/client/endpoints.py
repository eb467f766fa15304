"""How an endpoint is written, and whether it is spoken to with TLS."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint as gRPC takes it."""

    address: str
    secure: bool


def parse_endpoint(endpoint: str, *, insecure: bool | None = None) -> Target:
    """Return the target of `unix:PATH`, `HOST:PORT`, `dns:///HOST:PORT` or a http(s) URL.

    TLS is used unless `insecure` says no, the URL is plain http, or the endpoint is a socket or a loopback address.
    Raises ValueError for an endpoint that names no host.
    """
    text = endpoint.strip()
    if text.startswith("unix:"):
        return Target(address=text, secure=False)
    url = urlsplit(text if "://" in text else f"//{text}")
    authority = url.netloc or url.path.lstrip("/")
    host = urlsplit(f"//{authority}").hostname
    if not host:
        raise ValueError(f"Endpoint {endpoint!r} names no host. Use unix:PATH or HOST:PORT.")
    if url.scheme in ("http", "https") and urlsplit(f"//{authority}").port is None:
        authority = f"{authority}:{443 if url.scheme == 'https' else 80}"
    secure = not insecure if insecure is not None else url.scheme != "http" and not _is_loopback(host)
    return Target(address=authority, secure=secure)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
