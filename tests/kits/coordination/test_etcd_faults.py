"""What the adapter keeps through kill -9, compaction, silence and forgetfulness of a real etcd."""

from __future__ import annotations

import asyncio
import base64
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.etcd import EtcdCluster, EtcdServer, require_etcd

from flyteplane.coordination import Change, Coordination, EtcdCoordination, Mirror, Put, hold_lease
from flyteplane.coordination.etcd.watch import Patience
from flyteplane.foundation.clock import SystemClock
from flyteplane.foundation.errors import Unavailable

CLOCK = SystemClock()


@asynccontextmanager
async def client(server: EtcdServer | EtcdCluster, **settings: Any) -> AsyncIterator[EtcdCoordination]:
    """A client that soon notices silence."""
    coordination = EtcdCoordination(
        server.settings(**settings), clock=CLOCK, patience=Patience(idle_s=0.3, answer_s=0.5)
    )
    try:
        yield coordination
    finally:
        await coordination.close()


async def written(coordination: Coordination, key: str, value: bytes) -> None:
    """Write a key, however often that takes: the value is its own mark of having been written."""
    async with asyncio.timeout(20):
        while True:
            try:
                await coordination.put(key, value)
                return
            except Unavailable:
                kept = await after_absence(coordination, key)
                if kept == value:
                    return


async def after_absence(coordination: Coordination, key: str) -> bytes | None:
    while True:
        try:
            kept = await coordination.get(key)
        except Unavailable:
            continue
        return kept.value if kept else None


async def changes_until(mirror: Mirror, done: Callable[[], bool]) -> list[Change]:
    """Read until this holds."""
    seen: list[Change] = []
    reader = aiter(mirror)
    async with asyncio.timeout(20):
        while not done():
            seen.extend(await anext(reader))
    return seen


def replayed(begin: dict[str, bytes], changes: Sequence[Change]) -> dict[str, bytes]:
    """What a reader of the changes has; each change must go on from what was there."""
    state = dict(begin)
    for change in changes:
        assert state.get(change.key) == (change.previous and change.previous.value)
        if change.current is None:
            del state[change.key]
        else:
            state[change.key] = change.current.value
    return state


def values(mirror: Mirror) -> dict[str, bytes]:
    return {key: kept.value for key, kept in mirror.snapshot.items()}


def ranges_read(server: EtcdServer) -> int:
    """How often this process of etcd was asked to read."""
    with urllib.request.urlopen(f"{server.endpoint}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(
        int(line.split()[-1])
        for line in lines
        if line.startswith("grpc_server_started_total") and 'grpc_method="Range"' in line
    )


async def test_a_mirror_goes_on_after_kill_9_without_reading_again(server: EtcdServer) -> None:
    async with client(server) as ours:
        await ours.put("p/a", b"1")
        async with ours.mirror("p/") as mirror:
            server.kill()
            server.start()
            reads = ranges_read(server)
            server.call("kv/put", key=encoded("/flyteplane/p/b"), value=encoded("2"))
            changes = await changes_until(mirror, lambda: "p/b" in mirror.snapshot)
            assert [change.key for change in changes] == ["p/b"]
            assert ranges_read(server) == reads


async def test_a_mirror_catches_up_with_a_long_backlog(server: EtcdServer) -> None:
    async with client(server) as ours, client(server) as other, ours.mirror("p/") as mirror:
        server.pause()
        # The stream is given up as silent; what follows happens while it is away.
        await asyncio.sleep(1.2)
        server.resume()
        for first in range(0, 3000, 100):
            numbers = range(first, first + 100)
            await asyncio.gather(*(other.put(f"p/{number % 50}", str(number).encode()) for number in numbers))
        last = await other.put("p/last", b"")
        begin: dict[str, bytes] = {}
        changes = await changes_until(mirror, lambda: mirror.revision >= last)
        assert replayed(begin, changes) == values(mirror)
        assert values(mirror) == {kept.key: kept.value for kept in await other.list("p/")}


async def test_a_mirror_that_compaction_overtook_reads_again_and_reports_the_difference(tmp_path: Path) -> None:
    require_etcd()
    with EtcdServer(tmp_path / "etcd") as server:
        async with client(server) as ours, client(server) as other:
            for key in ("p/kept", "p/gone", "p/changed"):
                await other.put(key, b"1")
            async with ours.mirror("p/") as mirror:
                begin = values(mirror)
                server.kill()
                ours_away = asyncio.create_task(changes_until(mirror, lambda: "p/new" in mirror.snapshot))
                await asyncio.sleep(0)
                server.start()
                # Without a turn of the loop for the mirror: it is still away when the past is forgotten.
                server.call("kv/deleterange", key=encoded("/flyteplane/p/gone"))
                server.call("kv/put", key=encoded("/flyteplane/p/changed"), value=encoded("2"))
                answer = server.call("kv/put", key=encoded("/flyteplane/p/new"), value=encoded("3"))
                server.compact(int(answer["header"]["revision"]))
                changes = await ours_away
                assert replayed(begin, changes) == {"p/kept": b"1", "p/changed": b"2", "p/new": b"3"}
                assert values(mirror) == {"p/kept": b"1", "p/changed": b"2", "p/new": b"3"}
                await other.put("p/after", b"4")
                await changes_until(mirror, lambda: "p/after" in mirror.snapshot)


async def test_a_store_that_was_set_back_is_mirrored_as_it_is(server: EtcdServer) -> None:
    async with client(server) as ours, client(server) as other:
        for number in range(20):
            await ours.put("p/old", str(number).encode())
        async with ours.mirror("p/") as mirror:
            server.kill()
            server.wipe()
            server.start()
            await written(other, "p/new", b"")
            await changes_until(mirror, lambda: set(mirror.snapshot) == {"p/new"})
            await other.put("p/newer", b"")
            await changes_until(mirror, lambda: "p/newer" in mirror.snapshot)


async def test_a_stream_that_fell_silent_is_replaced(server: EtcdServer) -> None:
    async with client(server, timeout_s=1.0) as ours, ours.mirror("p/") as mirror:
        server.pause()
        try:
            await asyncio.sleep(1.5)
        finally:
            server.resume()
        await written(ours, "p/a", b"")
        await changes_until(mirror, lambda: "p/a" in mirror.snapshot)


async def test_a_store_that_hangs_is_unavailable_in_time(server: EtcdServer) -> None:
    async with client(server, timeout_s=0.5) as ours:
        await ours.put("a", b"")
        server.pause()
        try:
            async with asyncio.timeout(20):
                for call in (ours.get("a"), ours.put("a", b""), ours.txn(when=[]), ours.grant(5), ours.delete("a")):
                    with pytest.raises(Unavailable) as raised:
                        await call
                    assert raised.value.reason == "COORDINATION_UNAVAILABLE"
        finally:
            server.resume()


async def test_a_held_lease_lives_through_a_short_absence(server: EtcdServer) -> None:
    async with client(server) as ours:
        lease = await hold_lease(ours, ttl_s=6, clock=CLOCK)
        await ours.put("mine", b"", lease_id=lease.lease_id)
        server.kill()
        server.start()
        await asyncio.sleep(4.5)
        assert not lease.lost.is_set()
        assert lease.valid_until > CLOCK.monotonic()
        assert await ours.get("mine") is not None
        await lease.release()


async def test_losing_the_member_in_use_costs_nothing_but_a_moment(tmp_path: Path) -> None:
    require_etcd()
    tmp_path.joinpath("etcd").mkdir()
    with EtcdCluster(tmp_path / "etcd") as cluster:
        async with client(cluster, timeout_s=1.0) as ours, client(cluster, timeout_s=1.0) as other:
            await written(ours, "p/a", b"1")
            async with ours.mirror("p/") as mirror:
                cluster.members[0].kill()
                await written(other, "p/b", b"2")
                await changes_until(mirror, lambda: "p/b" in mirror.snapshot)
                # Alive to its connections and dead to all else.
                cluster.members[0].start()
                cluster.members[1].pause()
                await written(ours, "p/c", b"3")
                await written(other, "p/d", b"4")
                await changes_until(mirror, lambda: {"p/c", "p/d"} <= set(mirror.snapshot))
                assert values(mirror) == {"p/a": b"1", "p/b": b"2", "p/c": b"3", "p/d": b"4"}
                cluster.members[1].resume()


async def test_a_token_that_the_store_forgot_is_renewed(server: EtcdServer, tmp_path: Path) -> None:
    server.require_users({"ours": "right"}, prefix="/flyteplane/")
    file = tmp_path / "password"
    file.write_text("right\n")
    async with client(server, username="ours", password_file=file) as ours:
        await ours.put("p/a", b"1")
        async with ours.mirror("p/") as mirror:
            server.kill()
            server.start()
            # A write that was refused for its token was not applied, so the caller sees no failure.
            await after_absence(ours, "p/a")
            await ours.put("p/b", b"2")
            assert (await ours.txn(when=[], then=[Put("p/c", b"3")])).succeeded
            await changes_until(mirror, lambda: {"p/b", "p/c"} <= set(mirror.snapshot))


async def test_a_token_that_grew_old_is_renewed(tmp_path: Path) -> None:
    require_etcd()
    with EtcdServer(tmp_path / "etcd", options=["--auth-token-ttl=1"]) as server:
        server.require_users({"ours": "right"}, prefix="/flyteplane/")
        file = tmp_path / "password"
        file.write_text("right")
        async with client(server, username="ours", password_file=file) as ours:
            await ours.put("a", b"1")
            await asyncio.sleep(2.5)
            await ours.put("a", b"2")
            kept = await ours.get("a")
            assert kept is not None
            assert kept.version == 2


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
