"""Kills the secrets service in the middle of a call, at every point where something outside of its memory changes.

    python -m tests.secrets.killed_calls CALL FOLDER

Points are statements of the database, the beginnings of commits, and files that are opened for writing, linked or
removed. For each of them a process of its own performs the call on a copy of the same folder and is killed there; then
the service is opened on what is left. Prints JSON: how often it was killed, and every promise that was broken.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Final

import cryptography.hazmat.primitives.ciphers.aead  # noqa: F401  Loaded before the forks.
import jwt  # noqa: F401
from sqlalchemy import Engine, event
from tests.secrets.conftest import Platform

from flyteapi.secrets.v1 import secrets_service_pb2 as api
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import NotFound
from flyteplane.rpc.client import translated_errors

OLD: Final = {f"key{number}": f"value {number}".encode() for number in range(5)}
FRESH: Final = b"fresh"
MOST_POINTS: Final = 200
_FILE_EVENTS: Final = frozenset({"os.link", "os.rename", "os.remove"})

Check = Callable[[Platform], Awaitable[list[str]]]


class Reaper:
    """Kills this process at the point of a number."""

    def __init__(self, number: int) -> None:
        self._left = number
        event.listen(Engine, "before_cursor_execute", self.point)
        event.listen(Engine, "commit", self.point)
        sys.addaudithook(self._audited)

    def _audited(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name in _FILE_EVENTS or (name == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            self.point()

    def point(self, *_: Any) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def create(platform: Platform) -> None:
    made = await platform.create("new", FRESH, request_id="request-1")
    assert made.version == 1


async def update(platform: Platform) -> None:
    made = await platform.update("key0", FRESH, request_id="request-1")
    assert made.version == 2


async def delete(platform: Platform) -> None:
    await platform.delete("key0", request_id="request-1")


async def resolve(platform: Platform) -> None:
    assert await platform.resolve("key0", "key1") == [(OLD["key0"], 1), (OLD["key1"], 1)]


async def rotate(platform: Platform) -> None:
    with translated_errors():
        await platform.stub.RotateKeys(api.RotateKeysRequest(new_key=True))


async def values_of(platform: Platform, *names: str) -> list[tuple[bytes, int] | None]:
    found: list[tuple[bytes, int] | None] = []
    for name in names:
        try:
            found += await platform.resolve(name)
        except NotFound:
            found.append(None)
    return found


async def after_create(platform: Platform) -> list[str]:
    (before,) = await values_of(platform, "new")
    await create(platform)
    (after,) = await values_of(platform, "new")
    return expect(before, None, (FRESH, 1)) + expect(after, (FRESH, 1))


async def after_update(platform: Platform) -> list[str]:
    (before,) = await values_of(platform, "key0")
    await update(platform)
    (after,) = await values_of(platform, "key0")
    return expect(before, (OLD["key0"], 1), (FRESH, 2)) + expect(after, (FRESH, 2))


async def after_delete(platform: Platform) -> list[str]:
    (before,) = await values_of(platform, "key0")
    await delete(platform)
    (after,) = await values_of(platform, "key0")
    return expect(before, (OLD["key0"], 1), None) + expect(after, None)


async def after_resolve(platform: Platform) -> list[str]:
    entries = [(entry.secret, entry.outcome.value) for entry in await platform.audited()]
    await resolve(platform)
    return expect(entries, [], [("key0", "given"), ("key1", "given")])


async def after_rotate(platform: Platform) -> list[str]:
    with translated_errors():
        keys = (await platform.stub.ListKeys(api.ListKeysRequest())).keys
    # Opening did the rest, so the older files are of no use any more.
    found = expect([(key.current, key.available, key.secrets) for key in keys], [(True, True, len(OLD))])
    for path in sorted(platform.keys.glob("secrets-*.key"))[:-1]:
        path.unlink()
    await platform.stop()
    await platform.start()
    return found


def expect(found: object, *allowed: object) -> list[str]:
    return [] if found in allowed else [f"found {found}, expected one of {allowed}"]


CALLS: Final[dict[str, tuple[Callable[[Platform], Awaitable[None]], Check]]] = {
    "create": (create, after_create),
    "update": (update, after_update),
    "delete": (delete, after_delete),
    "resolve": (resolve, after_resolve),
    "rotate": (rotate, after_rotate),
}


async def prepare(folder: Path) -> None:
    platform = Platform(folder, ManualClock())
    await platform.start()
    for name, value in OLD.items():
        await platform.create(name, value)
    await platform.stop()


async def perform(folder: Path, call: Callable[[Platform], Awaitable[None]], number: int) -> None:
    platform = Platform(folder, ManualClock())
    await platform.start()
    Reaper(number)
    await call(platform)


async def judge(folder: Path, check: Check, changed: set[str]) -> list[str]:
    platform = Platform(folder, ManualClock())
    await platform.start()
    found = await check(platform)
    for name in sorted(OLD.keys() - changed):
        found += expect(await values_of(platform, name), [(OLD[name], 1)])
    await platform.stop()
    return found


def run(work: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> Any:
    return asyncio.run(work(*arguments))


def in_a_process(work: Callable[[], object]) -> int:
    """Its wait status."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            found = work()
            print(*(found if isinstance(found, list) else ()), sep="\n", end="", file=sys.stderr, flush=True)
            code = 1 if found else 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def main(name: str, folder: Path) -> dict[str, Any]:
    """What came of killing one call everywhere."""
    call, check = CALLS[name]
    template = folder / "template"
    template.mkdir()
    assert in_a_process(partial(run, prepare, template)) == 0
    changed = {"key0"} if name in ("update", "delete") else set()
    problems: list[str] = []
    for number in range(1, MOST_POINTS):
        copy = folder / str(number)
        shutil.copytree(template, copy)
        status = in_a_process(partial(run, perform, copy, call, number))
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not killed and status != 0:
            problems.append(f"point {number}: the call itself failed")
        if in_a_process(partial(run, judge, copy, check, changed)) != 0:
            problems.append(f"point {number}: a promise was broken")
        if not killed:
            return {"killed": number - 1, "problems": problems}
    return {"killed": MOST_POINTS, "problems": [*problems, "the call never ended"]}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
