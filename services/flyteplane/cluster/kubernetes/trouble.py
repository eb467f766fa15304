"""What can go wrong with a request to the API server, read from its answer.

`ApiFailure`: the server answered with a refusal. `ApiUnreachable`: nobody knows whether it did what it was asked.
Neither leaves the adapter: `refusals` turns them into the platform's own errors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

#: Characters: servers and webhooks quote whole objects in what they refuse.
_MAX_MESSAGE: Final = 2000
_TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})


class KubernetesTrouble(Exception):
    """A request that did not do what it was to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ApiUnreachable(KubernetesTrouble):
    """No answer, or half of one. Whether the request took effect is unknown."""


class ApiFailure(KubernetesTrouble):
    """The server's refusal.

    Args:
        status: of HTTP.
        reason: Kubernetes' own, such as "AlreadyExists".
        details: as in a V1Status.
        retry_after_s: when the server wants to be asked again.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        reason: str = "",
        details: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.details: Mapping[str, Any] = details or {}
        self.retry_after_s = retry_after_s

    @property
    def transient(self) -> bool:
        """Whether the same request may work a little later."""
        return self.status in _TRANSIENT


class WatchExpired(KubernetesTrouble):
    """The version to watch from is too old: list again and compare."""


def bounded(text: str, limit: int = _MAX_MESSAGE) -> str:
    """The text, cut with a mark if it is long: it goes into stored failures."""
    return text if len(text) <= limit else f"{text[: limit - 15]} ... (shortened)"


def failure_of(status: int, body: bytes, *, retry_after: str = "") -> ApiFailure:
    """Reads a refusal; what is no V1Status (a proxy's page) is quoted."""
    try:
        read = json.loads(body)
        answer: Mapping[str, Any] = read if isinstance(read, dict) else {}
    except ValueError:
        answer = {}
    details = answer.get("details") or {}
    message = str(answer.get("message") or body.decode(errors="replace").strip() or f"HTTP status {status}")
    wait = retry_after if retry_after.isdigit() else str(details.get("retryAfterSeconds") or "")
    return ApiFailure(
        bounded(message),
        status=status,
        reason=str(answer.get("reason") or ""),
        details=details,
        retry_after_s=float(wait) if wait else None,
    )
