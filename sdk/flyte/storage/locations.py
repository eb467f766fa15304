"""Addresses of data: plain paths, file:// and the URIs of object stores. Text work; nothing is touched.

Only whether an address is one of this machine depends on more than its text: on the routes of this process.
"""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from flyte.storage.routes import route_of

REMOTE_SCHEMES: Final = frozenset(
    {*("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "azure", "adl", "http", "https", "memory")}
)
"""Schemes of stores that are not the file system of this machine."""

_CONTAINER_IN_PATH: Final = frozenset({"az", "azure", "adl"})


def scheme_of(uri: str) -> str:
    """Return the scheme in lower case, "" for a plain path."""
    scheme, separator, _ = uri.partition("://")
    return scheme.lower() if separator else ""


def is_remote(path: str | Path) -> bool:
    """Tell whether an address lies outside of this machine's file system."""
    return scheme_of(str(path)) not in ("", "file") or route_of(str(path)) is not None


def local_path(uri: str | Path) -> Path:
    """Return the path of a plain path or file:// URI. Raises ValueError for any other address."""
    text = str(uri)
    if is_remote(text):
        raise ValueError(f"{text} is not on this machine. Download it first.")
    return path_in(text)


def path_in(text: str) -> Path:
    """Return the path in a plain path or file:// URI, on whatever machine it is."""
    return Path(unquote(urlsplit(text).path)) if scheme_of(text) else Path(text).expanduser()


def local_uri(path: Path) -> str:
    """Return the file:// URI of a path."""
    return f"file://{quote(str(path.absolute()))}"


def join(*paths: str) -> str:
    """Return one address of a prefix and further parts, with one slash between any two.

    In a file:// URI the parts after the first are quoted, so that every file name is possible.
    """
    first, *rest = (part for part in paths if part)
    if scheme_of(first) == "file":
        rest = [quote(part) for part in rest]
    return "/".join((first.rstrip("/") if rest else first, *(part.strip("/") for part in rest)))


def name_of(uri: str) -> str:
    """Return the last part of an address, for people."""
    path = unquote(urlsplit(uri).path) if scheme_of(uri) == "file" else uri.partition("://")[2] or uri
    return posixpath.basename(path.rstrip("/"))


def plain_name(name: str) -> str:
    """Return the last part of a name that somebody else chose: put into a folder, it never leads out of it."""
    last = posixpath.basename(name.rstrip("/"))
    return last if last not in ("", ".", "..") else "data"


def split_remote(uri: str) -> tuple[str, str]:
    """Return the root of a remote store (scheme, bucket or host) and the key below it.

    Raises ValueError for an unknown scheme.
    """
    scheme = scheme_of(uri)
    if scheme not in REMOTE_SCHEMES:
        raise ValueError(
            f"{uri} has an unknown scheme. Use a path, or one of file, {', '.join(sorted(REMOTE_SCHEMES))}."
        )
    rest = uri[len(scheme) + 3 :]
    depth = 2 if scheme in _CONTAINER_IN_PATH else 1
    pieces = rest.split("/", depth)
    root, key = "/".join(pieces[:depth]), pieces[depth] if len(pieces) > depth else ""
    return f"{'gs' if scheme == 'gcs' else scheme}://{root}", key
