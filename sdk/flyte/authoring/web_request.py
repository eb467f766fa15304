"""One request to an address of the web, for what a run tells people: questions of conditions and notifications."""

from __future__ import annotations

import http.client
import urllib.request
from collections.abc import Mapping
from typing import Final

_TIMEOUT_S: Final = 10.0


def send_web_request(url: str, *, body: bytes | None, method: str = "POST", headers: Mapping[str, str] = {}) -> None:
    """Send it and wait for the answer, at most 10 s for each step. Blocks. Raises OSError if it was not taken."""
    content_type = {} if body is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=body, headers={**content_type, **headers}, method=method)
    try:
        urllib.request.urlopen(request, timeout=_TIMEOUT_S).close()
    except http.client.HTTPException as problem:
        raise OSError(f"the answer is no HTTP: {problem!r}") from problem
