"""Brings web requests to their receivers.

A receiver has ten seconds for each step. No redirect is followed, because it would carry the request to where nobody
allowed it to go, and nothing is sent to an address of the link itself, where clouds answer questions about the machine.
"""

import asyncio
import http.client
import ipaddress
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from flyte.spec.notifications import Ending, WebRequest, request_body
from flyteplane.admin.application.notification_ports import NotTaken

_TIMEOUT_S: Final = 10.0
_AGENT: Final = "flyteplane"
#: The receiver, or what stands before it, asks for another try.
_AGAIN: Final = frozenset({408, 425, 429})
_THREADS: Final = 8


class _Forbidden(OSError):
    """An address to which nothing is sent."""


class WebCourier:
    """See `notification_ports.Courier`; for web requests only."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="notifications")
        self._opener = urllib.request.build_opener(_Http, _Https, _NoRedirect)

    async def bring(self, delivery: WebRequest, ending: Ending, *, name: str) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._send, delivery, ending, name)

    def close(self) -> None:
        """Take no more; what is under way ends within its time."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, delivery: WebRequest, ending: Ending, name: str) -> None:
        body = request_body(delivery, ending)
        headers = {"User-Agent": _AGENT, "Idempotency-Key": name}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(
            delivery.url, data=body, headers={**headers, **delivery.headers}, method=delivery.method
        )
        try:
            self._opener.open(request, timeout=_TIMEOUT_S).close()
        except urllib.error.HTTPError as answer:
            answer.close()
            again = answer.code in _AGAIN or answer.code >= 500
            wait_s = _seconds(answer.headers.get("Retry-After"))
            raise NotTaken(f"the receiver answers {answer.code}", for_good=not again, retry_after_s=wait_s) from None
        except (OSError, http.client.HTTPException, ValueError) as problem:
            reason = getattr(problem, "reason", problem)
            raise NotTaken(f"it cannot be sent: {reason}", for_good=isinstance(reason, _Forbidden)) from None


def is_forbidden(address: str) -> bool:
    """Whether an IP address is one of the link itself."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_link_local


def _refuse_link_local(connection: http.client.HTTPConnection) -> None:
    address = connection.sock.getpeername()[0]
    if is_forbidden(address):
        connection.close()
        raise _Forbidden(f"nothing is sent to {address}")


class _HttpConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _refuse_link_local(self)


class _HttpsConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _refuse_link_local(self)


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_HttpConnection, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_HttpsConnection, req)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isascii() and text.isdigit() else 0.0
