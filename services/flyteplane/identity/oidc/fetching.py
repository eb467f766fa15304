"""Fetches small JSON documents of an identity provider, in a thread of its own.

Nothing is followed elsewhere: an answer that redirects is refused, since the address is what the operator trusts.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from flyteplane.foundation.errors import Unavailable

TIMEOUT_S: Final = 5.0
MOST_DOCUMENT_BYTES: Final = 256 * 1024


class Fetch(Protocol):
    """Gets a JSON object from an address."""

    async def __call__(self, url: str) -> Mapping[str, Any]:
        """The object. Raises Unavailable (ISSUER_UNAVAILABLE)."""


def fetcher(*, ca_file: Path | None = None) -> Fetch:
    """A `Fetch` over HTTPS. The authorities of `ca_file` are read with each request, so that they may be replaced."""

    async def fetch(url: str) -> Mapping[str, Any]:
        return await asyncio.to_thread(_fetch, url, ca_file)

    return fetch


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _fetch(url: str, ca_file: Path | None) -> Mapping[str, Any]:
    try:
        context = ssl.create_default_context(cafile=ca_file)
        opener = urllib.request.build_opener(_NoRedirects, urllib.request.HTTPSHandler(context=context))
        request = urllib.request.Request(url, headers={"Accept": "application/json"})
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            content = answer.read(MOST_DOCUMENT_BYTES + 1)
        found = json.loads(content) if len(content) <= MOST_DOCUMENT_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise _unavailable(url) from error
    if not isinstance(found, dict):
        raise _unavailable(url)
    return found


def _unavailable(url: str) -> Unavailable:
    return Unavailable(
        f"the identity provider did not answer properly at {url}",
        reason="ISSUER_UNAVAILABLE",
        mend="Try again; the operator's file says where it is.",
        retry_after_s=TIMEOUT_S,
    )
