"""What is there in the cluster, kept up to date: list, then watch from the list's version, and again.

The watch is quick and may lie by silence; the list is slow and true. So everything is listed at the start, after every
trouble, when the server says that a version is too old (410), and now and then for no reason. Whoever listens is told
when a list began: only what was there before and is missing in it is gone. While the server cannot be reached nothing
is told at all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Protocol

from flyteplane.cluster.kubernetes.api import KubernetesApi
from flyteplane.cluster.kubernetes.trouble import ApiFailure, ApiUnreachable, KubernetesTrouble, WatchExpired
from flyteplane.foundation.clock import TimerClock
from flyteplane.observe import get_logger

_log = get_logger("cluster")

#: Objects of one answer, as many as kubectl asks for.
_PAGE: Final = 500
#: Between tries of a server that fails, doubled each time up to the longest.
_FIRST_PAUSE_S: Final = 0.2
_MAX_PAUSE_S: Final = 5.0
#: Rights are not given within seconds.
_FORBIDDEN_PAUSE_S: Final = 30.0


class Listener(Protocol):
    """Who wants to know of objects of one kind."""

    def listed(self, objects: Sequence[Mapping[str, Any]], *, began: float) -> None:
        """All that was there at some moment after `began` (monotonic seconds)."""

    def changed(self, seen: Mapping[str, Any]) -> None:
        """An object is new or has changed."""

    def deleted(self, last: Mapping[str, Any]) -> None:
        """An object is gone; its last state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often an informer does what; seconds."""

    watch_s: float = 240.0
    silence_s: float = 90.0
    probe_s: float = 10.0
    resync_s: float = 300.0


class Informer:
    """Keeps a listener up to date about the objects of one path.

    Args:
        api: how to ask.
        path: of the collection.
        selection: label and field selectors, as parameters.
        listener: who wants to know.
        rhythm: how often what is done.
        clock: time.
        random: for jitter.
    """

    def __init__(
        self,
        api: KubernetesApi,
        *,
        path: str,
        selection: Mapping[str, str],
        listener: Listener,
        rhythm: Rhythm,
        clock: TimerClock,
        random: Random,
    ) -> None:
        self._api = api
        self._path = path
        self._selection = dict(selection)
        self._listener = listener
        self._rhythm = rhythm
        self._clock = clock
        self._random = random
        self._list_due = 0.0
        self.trouble = ""
        """Why it is not up to date; empty while it is."""
        self.synced = asyncio.Event()
        """Set once there was a list."""

    async def run(self) -> None:
        """Goes on until it is cancelled."""
        version, failures = "", 0
        while True:
            try:
                if not version or self._clock.monotonic() >= self._list_due:
                    version = await self._list()
                    failures = 0
                began = self._clock.monotonic()
                version = await self._watch(version)
                if self._clock.monotonic() - began < _MAX_PAUSE_S:
                    # A server that ends watches at once is not asked in a tight loop.
                    await self._clock.sleep(self._pause(0))
            except WatchExpired as expired:
                _log.info("watch_expired", path=self._path, problem=expired.message)
                version = ""
            except KubernetesTrouble as trouble:
                version, failures, self.trouble = "", failures + 1, trouble.message
                _log.warning("cannot_watch", path=self._path, problem=trouble.message)
                forbidden = isinstance(trouble, ApiFailure) and trouble.status == 403
                await self._clock.sleep(_FORBIDDEN_PAUSE_S if forbidden else self._pause(failures))
            except Exception:
                # A listener that fails must not make the cluster blind: what it missed is listed again.
                version, failures = "", failures + 1
                _log.error("watch_listener_failed", path=self._path, exc_info=True)
                await self._clock.sleep(self._pause(failures))

    def _pause(self, failures: int) -> float:
        longest = min(_MAX_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures, 10))
        return longest * self._random.uniform(0.5, 1.0)

    async def _list(self) -> str:
        began = self._clock.monotonic()
        try:
            objects, version = await self._pages(limit=_PAGE)
        except WatchExpired:
            # The list took longer than its version is kept: all at once then.
            objects, version = await self._pages(limit=0)
        self._list_due = began + self._rhythm.resync_s * self._random.uniform(0.8, 1.2)
        self._listener.listed(objects, began=began)
        self.synced.set()
        self.trouble = ""
        return version

    async def _pages(self, *, limit: int) -> tuple[list[Mapping[str, Any]], str]:
        objects: list[Mapping[str, Any]] = []
        parameters = {**self._selection, **({"limit": str(limit)} if limit else {})}
        while True:
            page = await self._expiring(self._api.call("GET", self._path, parameters=parameters))
            objects += page.get("items") or ()
            if not (following := page["metadata"].get("continue")):
                return objects, str(page["metadata"].get("resourceVersion", ""))
            parameters["continue"] = following

    async def _expiring(self, call: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await call
        except ApiFailure as failure:
            raise _expired(failure) from failure
        return answer

    async def _watch(self, version: str) -> str:
        """Passes on what happens after `version`, until the server ends it; returns the version to go on from."""
        timeout_s = self._rhythm.watch_s * self._random.uniform(0.8, 1.2)
        until_list = max(1.0, self._list_due - self._clock.monotonic())
        parameters = {
            **self._selection,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, round(min(timeout_s, until_list)))),
        }
        try:
            async with (
                aclosing(self._api.stream(self._path, parameters=parameters)) as lines,
                aclosing(self._living(lines)) as living,
            ):
                async for line in living:
                    version = self._heard(line) or version
        except ApiFailure as failure:
            raise _expired(failure) from failure
        return version

    async def _living(self, lines: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """The lines, while there is proof of life: bookmarks for the watch, answers for the server."""
        iterator = aiter(lines)
        heard = self._clock.monotonic()
        line: asyncio.Future[bytes] | None = None
        try:
            while True:
                line = line or asyncio.ensure_future(anext(iterator))
                done, _ = await asyncio.wait({line}, timeout=self._rhythm.probe_s)
                if not done:
                    await self._probe(self._clock.monotonic() - heard)
                    continue
                try:
                    said = line.result()
                except StopAsyncIteration:
                    return
                line, heard = None, self._clock.monotonic()
                yield said
        finally:
            if line is not None:
                line.cancel()
                await asyncio.wait({line})

    async def _probe(self, silent_s: float) -> None:
        if silent_s >= self._rhythm.silence_s:
            raise ApiUnreachable(f"the watch has said nothing for {silent_s:.0f} s")
        try:
            await self._api.call("GET", "/version")
        except ApiFailure:
            # It answers; what it thinks of the question does not matter.
            return

    def _heard(self, line: bytes) -> str:
        try:
            event = json.loads(line)
            kind, subject = event["type"], event["object"]
        except (ValueError, KeyError, TypeError) as error:
            raise ApiUnreachable(f"the watch says what is no event: {line[:200]!r}") from error
        if kind == "ERROR":
            failure = ApiFailure(
                str(subject.get("message") or "the watch failed"),
                status=int(subject.get("code") or 500),
                reason=str(subject.get("reason") or ""),
            )
            raise failure
        if kind == "DELETED":
            self._listener.deleted(subject)
        elif kind != "BOOKMARK":
            self._listener.changed(subject)
        return str(subject["metadata"].get("resourceVersion", ""))


def _expired(failure: ApiFailure) -> KubernetesTrouble:
    gone = failure.status == 410 or failure.reason in ("Expired", "Gone")
    return WatchExpired(failure.message) if gone else failure
