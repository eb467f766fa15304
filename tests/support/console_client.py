"""A browser as far as HTTP goes: cookies, forms with their token, streams of events. Follows no redirect by itself."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    text: str


class ConsoleClient:
    """Talks to one console. Without a cookie it is a stranger."""

    def __init__(self, url: str, *, cookie: str = "") -> None:
        self.url = url
        self.host = urlsplit(url).netloc
        self.cookie = cookie

    @classmethod
    def signed_in(cls, link: str) -> Self:
        """Come in by a link."""
        client = cls(link.partition("/login")[0])
        answer = client.get(link.removeprefix(client.url))
        assert answer.status == 200, answer
        client.cookie = answer.headers["set-cookie"].partition(";")[0]
        return client

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for a page. Words of headers are joined by "_" here."""
        return self._send("GET", path, headers)

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> Answer:
        """Send a form the way a page of the console does; headers may say otherwise, an empty one is left out."""
        usual = {
            "origin": self.url,
            "sec_fetch_site": "same-origin",
            "content_type": "application/x-www-form-urlencoded",
        }
        return self._send("POST", path, {**usual, **headers}, body=urlencode(form))

    def token(self) -> str:
        """What the forms of this session carry."""
        found = re.search(r'name="form-token" content="([^"]+)"', self.get("/tasks").text)
        assert found is not None
        return found[1]

    def change(self, path: str, **form: str) -> Answer:
        """Send a form with its token."""
        return self.post(path, {"form_token": self.token(), **form})

    def events(self, path: str, *, last: str = "") -> EventStream:
        """Open a stream, behind the message `last`."""
        return EventStream(self, path, last=last)

    def _send(self, method: str, path: str, headers: Mapping[str, str], *, body: str | None = None) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body=body, headers=self._headers(headers))
            response = connection.getresponse()
            answered = {name.lower(): value for name, value in response.getheaders()}
            return Answer(status=response.status, headers=answered, text=response.read().decode())
        finally:
            connection.close()

    def _headers(self, given: Mapping[str, str]) -> dict[str, str]:
        usual = {"accept": "text/html", **({"cookie": self.cookie} if self.cookie else {})}
        named = {name.replace("_", "-"): value for name, value in given.items()}
        return {name: value for name, value in {**usual, **named}.items() if value}


class EventStream:
    """Server-sent events: iterate for (kind, data, id)."""

    def __init__(self, client: ConsoleClient, path: str, *, last: str) -> None:
        self._connection = http.client.HTTPConnection(client.host, timeout=TIMEOUT_S)
        headers = {"cookie": client.cookie, **({"last-event-id": last} if last else {})}
        self._connection.request("GET", path, headers=headers)
        self._response = self._connection.getresponse()
        self.status = self._response.status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def __iter__(self) -> Iterator[tuple[str, Any, str]]:
        fields: dict[str, str] = {}
        while line := self._response.readline().decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if value:
                fields[name] = value
            elif "event" in fields:
                yield fields["event"], json.loads(fields["data"]), fields.get("id", "")
                fields = {}
