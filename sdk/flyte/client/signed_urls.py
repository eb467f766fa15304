"""Objects put and got at signed URLs of the object store, with the standard library, in a thread.

A client may be unable to reach the store that it was given a URL of: then the bytes go through the platform, and the
host is not tried again in this process. What was got is checked by whoever knows its digest.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

_TIMEOUT_S: Final = 20.0
_COPY_BYTES: Final = 1 << 20

_out_of_reach: set[str] = set()


def is_signed(url: str) -> bool:
    """Tell whether this is a URL to try: of a store that is spoken to by HTTP, and not known to be out of reach."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and parts.netloc not in _out_of_reach


def forget_what_is_out_of_reach() -> None:
    """Try every host again."""
    _out_of_reach.clear()


async def put_at(url: str, content: bytes, *, headers: Mapping[str, str]) -> bool:
    """Put an object. False: it could not be put there."""

    def put() -> None:
        from urllib.request import Request, urlopen

        urlopen(Request(url, data=content, headers=dict(headers), method="PUT"), timeout=_TIMEOUT_S).close()

    return await _attempt(url, put) is not None


async def get_at(url: str) -> bytes | None:
    """Get an object. None: it could not be had there."""

    def get() -> bytes:
        from urllib.request import urlopen

        with urlopen(url, timeout=_TIMEOUT_S) as answer:
            return bytes(answer.read())

    got = await _attempt(url, get)
    return None if got is None else got[0]


async def get_file_at(url: str, path: Path) -> bool:
    """Write an object to a file. False: it could not be had there; the file holds nothing of use then."""

    def get() -> None:
        from urllib.request import urlopen

        with urlopen(url, timeout=_TIMEOUT_S) as answer, path.open("wb") as file:
            shutil.copyfileobj(answer, file, _COPY_BYTES)

    return await _attempt(url, get) is not None


async def _attempt(url: str, call: Callable[[], T]) -> tuple[T] | None:
    # Only a platform with such a store needs an HTTP client, which is a twentieth of what a command loads.
    from http.client import HTTPException
    from urllib.error import HTTPError

    try:
        return (await asyncio.to_thread(call),)
    except HTTPError:
        return None
    except (OSError, HTTPException):
        _out_of_reach.add(urlsplit(url).netloc)
        return None
