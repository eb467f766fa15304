"""Requests to one API server, as plain dicts: limited, timed, and with every way to fail made one of three errors.

Objects stay the dicts that the server wrote: turning ten thousand pods into models costs more than all the rest.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from flyteplane.cluster.kubernetes.connection import Connection
from flyteplane.cluster.kubernetes.rate_limiter import Priority, RateLimiter
from flyteplane.cluster.kubernetes.trouble import ApiFailure, ApiUnreachable, failure_of
from flyteplane.cluster.ports import ClusterHealth
from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    import aiohttp

_log = get_logger("cluster")

#: Requests at a time. Less than there are connections: a request's time must not be spent waiting for one.
_IN_FLIGHT: Final = {Priority.TERMINAL: 48, Priority.CREATE: 24}
#: After a refusal for too many requests that names no time to wait.
_DEFAULT_PAUSE_S: Final = 1.0
#: And however long a time it names.
_MAX_PAUSE_S: Final = 30.0
#: Credentials are read again at most so often.
_RENEW_EVERY_S: Final = 30.0


class KubernetesApi:
    """Requests to one API server.

    Args:
        connection: the way to it; open.
        limiter: how much may be asked.
        timeout_s: of a request that is no watch.
        clock: time.
    """

    def __init__(self, connection: Connection, *, limiter: RateLimiter, timeout_s: float, clock: Clock) -> None:
        self._connection = connection
        self._limiter = limiter
        self._timeout_s = timeout_s
        self._clock = clock
        self._renewed_at = clock.monotonic()
        self._trouble = ""
        self._slots = {priority: asyncio.Semaphore(count) for priority, count in _IN_FLIGHT.items()}

    @property
    def health(self) -> ClusterHealth:
        """Whether the latest request was answered by a server that knows us."""
        return ClusterHealth(reachable=not self._trouble, message=self._trouble)

    async def call(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        priority: Priority = Priority.TERMINAL,
    ) -> dict[str, Any]:
        """The JSON answer to a request.

        Raises:
            ApiFailure: the server refused it.
            ApiUnreachable: there is no answer; whether it took effect is unknown.
        """
        content = await self.read(method, path, parameters=parameters, body=body, priority=priority)
        try:
            answer: dict[str, Any] = json.loads(content)
        except ValueError as error:
            raise self._unreachable(error) from error
        return answer

    async def read(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        priority: Priority = Priority.TERMINAL,
    ) -> bytes:
        """The answer to a request as it is, such as a log. Raises as `call` does."""
        import aiohttp

        async with self._slots[priority]:
            await self._limiter.acquire(priority)
            try:
                response = await self._connection.request(
                    method, _with(path, parameters), body=body, timeout_s=self._timeout_s
                )
                async with response:
                    content = await response.read()
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise self._unreachable(error) from error
        await self._check(response, content)
        return content

    async def stream(self, path: str, *, parameters: Mapping[str, str]) -> AsyncGenerator[bytes]:
        """The lines of a watch, until the server ends it. Raises as `call` does."""
        import aiohttp

        await self._limiter.acquire(Priority.TERMINAL)
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._connection.request("GET", _with(path, parameters), body=None, timeout_s=None)
            async with response:
                if response.status >= 300:
                    await self._check(response, await response.read())
                self._trouble = ""
                async for line in _lines(response):
                    yield line
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: BaseException) -> ApiUnreachable:
        what = " ".join(str(error).split())[:300] or type(error).__name__
        if isinstance(error, TimeoutError) and not str(error):
            what = f"no answer within {self._timeout_s:g} s"
        self._trouble = f"the Kubernetes API server {self._connection.server} ({self._connection.source}): {what}"
        return ApiUnreachable(self._trouble)

    async def _check(self, response: aiohttp.ClientResponse, content: bytes) -> None:
        if response.status < 300:
            self._trouble = ""
            return
        failure = failure_of(response.status, content, retry_after=response.headers.get("Retry-After", ""))
        if failure.status == 429:
            self._limiter.pause(min(failure.retry_after_s or _DEFAULT_PAUSE_S, _MAX_PAUSE_S))
        self._trouble = self._judge(failure)
        if failure.status == 401:
            await self._renew()
        raise failure

    def _judge(self, failure: ApiFailure) -> str:
        """A refusal shows that the server is there, unless it is the server that is in trouble, or knows us no more."""
        where = f"the Kubernetes API server {self._connection.server} ({self._connection.source})"
        if failure.status == 401:
            return f"{where} refuses the credentials: they are wrong or have expired. Log in again or renew them."
        if failure.status in (502, 503, 504):
            return f"{where} answers {failure.status}: {failure.message}"
        return ""

    async def _renew(self) -> None:
        now = self._clock.monotonic()
        if now - self._renewed_at < _RENEW_EVERY_S:
            return
        self._renewed_at = now
        try:
            await self._connection.open()
        except InvalidArgument as error:
            _log.warning("credentials_not_renewed", problem=str(error))


def _with(path: str, parameters: Mapping[str, str] | None) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Lines of any length: a pod may be larger than the limit of the reader's own lines."""
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else [rest + chunk]
        for line in lines:
            if line:
                yield line
