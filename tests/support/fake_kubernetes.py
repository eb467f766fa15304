"""A Kubernetes API server for tests of a client: real HTTP, scripted faults, no scheduling.

It keeps pods, namespaces, events, nodes and pod templates; it lists with versions, watches from one, sends bookmarks,
forgets old versions (410), and does what a test tells it: refuse, delay, fall silent, hang up. Pods do only what the
test says (`run`, `finish`, `set_status`), so that every order of things can be made to happen.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiohttp import web

EPOCH = "2026-01-01T00:00:00Z"


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to requests instead of an answer."""

    method: str
    path: str
    """A part of the path."""
    status: int = 500
    reason: str = "InternalError"
    message: str = "something broke"
    retry_after: str = ""
    times: int = 1
    hang_up: bool = False
    delay_s: float = 0.0
    """The answer is the usual one, but late."""
    after: bool = False
    """The request takes effect before the fault."""


@dataclass(slots=True, eq=False)
class _Watcher:
    kind: str
    namespace: str
    labels: dict[str, str]
    queue: asyncio.Queue[dict[str, Any] | None] = field(default_factory=asyncio.Queue)


class FakeKubernetes:
    """The server. Use it as an async context manager."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[tuple[str, str], dict[str, Any]]] = {
            kind: {} for kind in ("pods", "events", "nodes", "podtemplates", "namespaces")
        }
        self.logs: dict[str, str] = {}
        """By container."""
        self.requests: list[tuple[str, str]] = []
        """Method and path with query of every request."""
        self.deletions: list[tuple[str, int | None]] = []
        """Name and grace of every deletion that was asked for."""
        self.faults: list[Fault] = []
        self.oldest = 0
        """Versions below are forgotten."""
        self.mute = False
        """Watches are accepted and say nothing, although things happen."""
        self.instant_deletion = True
        """Deleted pods are gone at once; otherwise when their grace is 0 or `vanish` is called."""
        self.token = ""
        """If set, the only token that is accepted."""
        self.version = 10
        self._past: list[tuple[int, str, dict[str, Any]]] = []
        self._watchers: set[_Watcher] = set()
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        await self.up()
        self.add_namespace("flyte")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    async def up(self) -> None:
        """Listens, on the port of before if there was one."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.05)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def down(self) -> None:
        """Hangs up on everybody and listens no more."""
        self.hang_up()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def kubeconfig(self, folder: Path, *, token: str = "good") -> str:
        """Writes a kubeconfig that names this server; returns its path."""
        path = folder / f"kubeconfig-{token}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "tester", "user": {"token": token}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "tester"}}],
            "current-context": "fake",
        }
        path.write_text(json.dumps(config))
        return str(path)

    # What tests do to the cluster.

    def add_namespace(self, name: str) -> None:
        """Makes a namespace."""
        self._store("namespaces", "ADDED", {"metadata": {"name": name}})

    def pod(self, name: str) -> dict[str, Any]:
        """The only pod whose name begins so."""
        (found,) = [pod for (_, each), pod in self.objects["pods"].items() if each.startswith(name)]
        return found

    def set_status(self, name: str, *, tell: bool = True, node: str = "node-1", **status: Any) -> dict[str, Any]:
        """Gives a pod another status; without `tell` the watches do not hear of it."""
        pod = {**self.pod(name), "status": status}
        pod["spec"] = {**pod["spec"], "nodeName": node}
        return self._store("pods", "MODIFIED", pod, tell=tell)

    def run(self, name: str) -> None:
        """Its primary container runs."""
        self.set_status(name, phase="Running", containerStatuses=[{"name": "primary", "state": {"running": {}}}])

    def finish(self, name: str, *, code: int = 0, tell: bool = True, **terminated: Any) -> None:
        """Its primary container ends."""
        state = {"terminated": {"exitCode": code, "finishedAt": EPOCH, **terminated}}
        phase = "Failed" if code else "Succeeded"
        self.set_status(name, tell=tell, phase=phase, containerStatuses=[{"name": "primary", "state": state}])

    def vanish(self, name: str, *, tell: bool = True) -> None:
        """The pod is gone."""
        pod = self.pod(name)
        del self.objects["pods"][pod["metadata"]["namespace"], pod["metadata"]["name"]]
        self._store("pods", "DELETED", pod, tell=tell)

    def warn(self, name: str, reason: str, message: str, *, kind: str = "Warning") -> None:
        """An event about a pod."""
        metadata = self.pod(name)["metadata"]
        about = {"kind": "Pod", "name": metadata["name"], "uid": metadata["uid"], "namespace": metadata["namespace"]}
        event = {
            "metadata": {"name": f"{metadata['name']}.{self.version}", "namespace": metadata["namespace"]},
            "involvedObject": about,
            "type": kind,
            "reason": reason,
            "message": message,
            "lastTimestamp": f"2026-01-01T00:00:{self.version % 60:02d}Z",
        }
        self._store("events", "ADDED", event)

    def bookmark(self) -> None:
        """Tells all watches the present version."""
        self.version += 1
        event = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(self.version)}}}
        for watcher in self._watchers:
            watcher.queue.put_nowait(event)

    def compact(self) -> None:
        """Forgets all versions before the present one."""
        self.version += 1
        self.oldest = self.version
        self._past.clear()

    def hang_up(self) -> None:
        """Ends all watches."""
        for watcher in self._watchers:
            watcher.queue.put_nowait(None)

    def fault(self, method: str, path: str, **what: Any) -> Fault:
        """The next requests of this kind go wrong."""
        fault = Fault(method=method, path=path, **what)
        self.faults.append(fault)
        return fault

    def count(self, method: str, part: str) -> int:
        """How many requests of this kind were made."""
        return sum(each == method and part in path for each, path in self.requests)

    @property
    def watching(self) -> int:
        """How many watches of pods there are."""
        return sum(watcher.kind == "pods" for watcher in self._watchers)

    # The server's side.

    def _store(self, kind: str, change: str, value: dict[str, Any], *, tell: bool = True) -> dict[str, Any]:
        self.version += 1
        metadata = {"uid": f"uid-{self.version}", **value["metadata"], "resourceVersion": str(self.version)}
        value = {**value, "metadata": metadata}
        if change != "DELETED":
            self.objects[kind][metadata.get("namespace", ""), metadata["name"]] = value
        event = {"type": change, "object": value}
        if tell:
            self._past.append((self.version, kind, event))
        for watcher in self._watchers:
            if tell and not self.mute and watcher.kind == kind and _selected(value, watcher.namespace, watcher.labels):
                watcher.queue.put_nowait(event)
        return value

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs))
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return _failure(401, "Unauthorized", "Unauthorized")
        fault = next(
            (each for each in self.faults if each.method == request.method and each.path in request.path), None
        )
        if fault is None:
            return await self._answer(request)
        fault.times -= 1
        if not fault.times:
            self.faults.remove(fault)
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
            return await self._answer(request)
        if fault.after:
            await self._answer(request)
        if fault.hang_up:
            assert request.transport is not None
            request.transport.close()
        return _failure(fault.status, fault.reason, fault.message, retry_after=fault.retry_after)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").removeprefix("api/v1").strip("/").split("/")
        if parts[0] == "version":
            return web.json_response({"major": "1"})
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2:
            namespace, parts = parts[1], parts[2:]
        kind, name = parts[0], parts[1] if len(parts) > 1 else ""
        if request.method == "POST":
            return self._create(kind, namespace, await request.json())
        if not name:
            selected = _selectors(request.query.get("labelSelector", ""))
            if request.query.get("watch"):
                return await self._watch(request, _Watcher(kind, namespace, selected))
            return self._list(request, kind, namespace, selected)
        found = self.objects[kind].get((namespace, name))
        if found is None:
            return _failure(404, "NotFound", f'{kind} "{name}" not found')
        if parts[-1] == "log":
            return web.Response(text=self.logs.get(request.query["container"], ""))
        if request.method == "DELETE":
            return self._delete(found, await request.json())
        return web.json_response(found)

    def _create(self, kind: str, namespace: str, body: dict[str, Any]) -> web.Response:
        if namespace and ("", namespace) not in self.objects["namespaces"]:
            return _failure(404, "NotFound", f'namespaces "{namespace}" not found')
        if (namespace, body["metadata"]["name"]) in self.objects[kind]:
            return _failure(409, "AlreadyExists", f'{kind} "{body["metadata"]["name"]}" already exists')
        metadata = {**body["metadata"], **({"namespace": namespace} if namespace else {})}
        return web.json_response(self._store(kind, "ADDED", {**body, "metadata": metadata}), status=201)

    def _delete(self, pod: dict[str, Any], options: Mapping[str, Any]) -> web.Response:
        name, grace = pod["metadata"]["name"], options.get("gracePeriodSeconds")
        self.deletions.append((name, grace))
        if (options.get("preconditions") or {}).get("uid", pod["metadata"]["uid"]) != pod["metadata"]["uid"]:
            return _failure(409, "Conflict", "the UID in the precondition does not match")
        if self.instant_deletion or grace == 0:
            self.vanish(name)
        else:
            deletion = {"deletionTimestamp": EPOCH, "deletionGracePeriodSeconds": grace}
            self._store("pods", "MODIFIED", {**pod, "metadata": {**pod["metadata"], **deletion}})
        return web.json_response(pod)

    def _list(self, request: web.Request, kind: str, namespace: str, labels: dict[str, str]) -> web.Response:
        fields = _selectors(request.query.get("fieldSelector", ""))
        found = [each for each in self.objects[kind].values() if _selected(each, namespace, labels)]
        found = [each for each in found if all(_field(each, path) == value for path, value in fields.items())]
        start, limit = int(request.query.get("continue", 0)), int(request.query.get("limit", 0)) or len(found)
        following = str(start + limit) if start + limit < len(found) else ""
        metadata = {"resourceVersion": str(self.version), "continue": following}
        return web.json_response({"metadata": metadata, "items": found[start : start + limit]})

    async def _watch(self, request: web.Request, watcher: _Watcher) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        since = int(request.query["resourceVersion"])
        if since < self.oldest:
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            await response.write(_line({"type": "ERROR", "object": gone}))
            return response
        for version, kind, event in self._past if not self.mute else ():
            same = kind == watcher.kind and _selected(event["object"], watcher.namespace, watcher.labels)
            if version > since and same:
                watcher.queue.put_nowait(event)
        self._watchers.add(watcher)
        try:
            async with asyncio.timeout(float(request.query["timeoutSeconds"])):
                while (next_event := await watcher.queue.get()) is not None:
                    await response.write(_line(next_event))
        except TimeoutError:
            pass
        finally:
            self._watchers.discard(watcher)
        return response


def _line(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"


def _failure(status: int, reason: str, message: str, *, retry_after: str = "") -> web.Response:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": status}
    return web.json_response(body, status=status, headers={"Retry-After": retry_after} if retry_after else None)


def _selectors(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split(",") if pair)


def _selected(value: Mapping[str, Any], namespace: str, labels: Mapping[str, str]) -> bool:
    metadata = value["metadata"]
    has = metadata.get("labels") or {}
    return namespace in ("", metadata.get("namespace", "")) and all(has.get(k) == v for k, v in labels.items())


def _field(value: Mapping[str, Any], path: str) -> str:
    for part in path.split("."):
        value = value.get(part) or {}
    return str(value)


async def until(condition: Callable[[], Any], *, within_s: float = 30.0) -> None:
    """Returns once a condition about the server or its client holds; looks at every turn of the loop."""
    for _turn in range(int(within_s / 0.005)):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to be")
