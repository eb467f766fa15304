"""What the adapter makes of answers that a real etcd gives too seldom to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from etcdserverpb.header_pb2 import ResponseHeader
from etcdserverpb.key_value_pb2 import Event, KeyValue
from etcdserverpb.kv_pb2 import RangeResponse
from etcdserverpb.watch_pb2 import WatchResponse
from flyteplane.coordination import EtcdCoordination, Mirror
from flyteplane.coordination.etcd.watch import Patience
from flyteplane.foundation.clock import SystemClock
from flyteplane.foundation.errors import (
    DataLoss,
    InvalidArgument,
    PermissionDenied,
    PlatformError,
    ResourceExhausted,
    Unavailable,
)

from .scripted_etcd import ScriptedEtcd

AWAY = (grpc.StatusCode.UNAVAILABLE, "etcdserver: request timed out")
MADE = WatchResponse(header=ResponseHeader(revision=9000), created=True)


@pytest.fixture
async def script() -> AsyncIterator[ScriptedEtcd]:
    async with ScriptedEtcd() as script:
        yield script


@pytest.fixture
async def ours(script: ScriptedEtcd) -> AsyncIterator[EtcdCoordination]:
    coordination = EtcdCoordination(
        script.settings(timeout_s=2.0), clock=SystemClock(), patience=Patience(idle_s=0.1, answer_s=0.2)
    )
    yield coordination
    await coordination.close()


def written(*keys: str, revision: int, header: int | None = None) -> WatchResponse:
    """An answer with events."""
    events = [
        Event(kv=KeyValue(key=key.encode(), create_revision=revision, mod_revision=revision, version=1)) for key in keys
    ]
    return WatchResponse(header=ResponseHeader(revision=header or revision), events=events)


def listed(*keys: str, revision: int) -> RangeResponse:
    """An answer to a listing."""
    kvs = [KeyValue(key=key.encode(), create_revision=1, mod_revision=1, version=1) for key in keys]
    return RangeResponse(header=ResponseHeader(revision=revision), kvs=kvs)


async def until_mirrored(mirror: Mirror, *keys: str) -> None:
    changes = aiter(mirror)
    async with asyncio.timeout(30):
        while set(mirror.snapshot) != set(keys):
            await anext(changes)


async def test_a_write_whose_answer_was_lost_is_not_repeated(script: ScriptedEtcd, ours: EtcdCoordination) -> None:
    script.failures = [AWAY, AWAY]
    with pytest.raises(Unavailable):
        await ours.put("a", b"")
    with pytest.raises(Unavailable):
        await ours.txn(when=[])
    assert script.asked == ["Put", "Txn"]


async def test_a_read_is_repeated(script: ScriptedEtcd, ours: EtcdCoordination) -> None:
    script.failures = [AWAY, AWAY]
    assert await ours.get("a") is None
    assert script.asked == ["Range"] * 3


async def test_a_write_goes_out_once_the_store_can_be_connected(script: ScriptedEtcd) -> None:
    dead = EtcdCoordination(
        script.settings(endpoints=("127.0.0.1:9", *script.settings().endpoints)), clock=SystemClock()
    )
    assert await dead.put("a", b"") == 2
    assert script.asked == ["Put"]
    await dead.close()


async def test_a_member_that_hangs_costs_a_read_one_try(script: ScriptedEtcd) -> None:
    async with ScriptedEtcd() as another:
        endpoints = (*another.settings().endpoints, *script.settings().endpoints)
        ours = EtcdCoordination(script.settings(endpoints=endpoints, timeout_s=2.0), clock=SystemClock())
        assert await ours.get("a") is None
        # Calls stay with the member that was connected first, whichever that was.
        used, spare = (another, script) if another.asked else (script, another)
        used.hanging = True
        assert await ours.get("a") is None
        assert await ours.put("a", b"") == 2
        assert used.asked == ["Range", "Range"]
        assert spare.asked == ["Range", "Put"]
        await ours.close()


async def test_closing_ends_what_waits(script: ScriptedEtcd, ours: EtcdCoordination) -> None:
    script.scripts = [[MADE]]
    mirror = ours.mirror("")
    await mirror.__aenter__()
    script.hanging = True
    waiting = asyncio.create_task(ours.put("a", b""))
    await script.called("Put")
    await ours.close()
    with pytest.raises(Unavailable, match="closed"):
        await waiting
    with pytest.raises(Unavailable, match="closed"):
        await ours.get("a")
    await mirror.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("status", "text", "expected", "reason"),
    [
        (
            "RESOURCE_EXHAUSTED",
            "etcdserver: mvcc: database space exceeded",
            ResourceExhausted,
            "COORDINATION_STORE_FULL",
        ),
        ("RESOURCE_EXHAUSTED", "etcdserver: too many requests", ResourceExhausted, "COORDINATION_BUSY"),
        ("INVALID_ARGUMENT", "etcdserver: request is too large", InvalidArgument, "TOO_LARGE"),
        ("INVALID_ARGUMENT", "etcdserver: too many operations in txn request", InvalidArgument, "TOO_LARGE"),
        ("PERMISSION_DENIED", "etcdserver: permission denied", PermissionDenied, "COORDINATION_PERMISSION"),
        ("DATA_LOSS", "etcdserver: corrupt cluster", DataLoss, "COORDINATION_CORRUPT"),
        ("UNKNOWN", "etcdserver: something new", Unavailable, "COORDINATION_UNAVAILABLE"),
        ("UNAVAILABLE", "etcdserver: leader changed", Unavailable, "COORDINATION_UNAVAILABLE"),
    ],
)
async def test_statuses_of_etcd_do_not_pass_through(
    script: ScriptedEtcd, ours: EtcdCoordination, status: str, text: str, expected: type[PlatformError], reason: str
) -> None:
    script.failures = [(grpc.StatusCode[status], text)]
    with pytest.raises(expected) as raised:
        await ours.put("a", b"")
    assert raised.value.reason == reason
    assert "etcdserver" not in raised.value.public_text


async def test_a_watch_goes_on_after_the_last_event_and_not_after_the_header(
    script: ScriptedEtcd, ours: EtcdCoordination
) -> None:
    # In the answers of a backlog the header is ahead of the events that are still to come.
    script.scripts = [
        [MADE, written("a", revision=5, header=9000), grpc.StatusCode.UNAVAILABLE],
        [MADE, written("b", revision=6, header=9000)],
    ]
    async with ours.mirror("") as mirror:
        await until_mirrored(mirror, "a", "b")
        assert mirror.revision == 6
    assert [watch.start_revision for watch in script.watches] == [2, 6]


async def test_a_progress_notice_moves_on_where_a_watch_goes_on(script: ScriptedEtcd, ours: EtcdCoordination) -> None:
    notice = WatchResponse(header=ResponseHeader(revision=70))
    asked_for = WatchResponse(header=ResponseHeader(revision=9000), watch_id=-1)
    script.scripts = [[MADE, notice, asked_for, grpc.StatusCode.UNAVAILABLE], [MADE]]
    async with ours.mirror("") as mirror:
        assert await script.watched(2) == [2, 71]
        assert mirror.revision == 70


async def test_events_that_come_again_are_not_applied_again(script: ScriptedEtcd, ours: EtcdCoordination) -> None:
    old = WatchResponse(
        header=ResponseHeader(revision=5),
        events=[Event(type=Event.DELETE, kv=KeyValue(key=b"a", mod_revision=3)), *written("c", revision=6).events],
    )
    script.scripts = [[MADE, written("a", "b", revision=5), old]]
    async with ours.mirror("") as mirror:
        await until_mirrored(mirror, "a", "b", "c")
        assert mirror.revision == 6


async def test_a_silent_stream_is_replaced_and_nothing_read_again(script: ScriptedEtcd, ours: EtcdCoordination) -> None:
    script.scripts = [[MADE, written("a", revision=5)], [MADE, written("b", revision=6)]]
    async with ours.mirror("") as mirror:
        await until_mirrored(mirror, "a", "b")
    assert [watch.start_revision for watch in script.watches] == [2, 6]
    assert script.asked == ["Range"]


async def test_compaction_makes_a_mirror_read_again(script: ScriptedEtcd, ours: EtcdCoordination) -> None:
    script.kept = lambda: listed("a", "b", revision=1) if script.asked == ["Range"] else listed("b", "c", revision=90)
    script.scripts = [[WatchResponse(canceled=True, compact_revision=80)], [MADE]]
    async with ours.mirror("") as mirror:
        (batch,) = [await anext(aiter(mirror))]
        assert {change.key: change.current is None for change in batch} == {"a": True, "c": False}
        assert await script.watched(2) == [2, 91]


async def test_a_mirror_is_compared_with_the_store_whatever_the_watch_says(script: ScriptedEtcd) -> None:
    script.kept = lambda: listed(revision=1) if script.asked == ["Range"] else listed("missed", revision=2)
    # Signs of life, but not the event.
    alive = WatchResponse(header=ResponseHeader(revision=2), watch_id=-1)
    script.scripts = [[MADE, alive], [MADE]]
    ours = EtcdCoordination(script.settings(), clock=SystemClock(), compare_s=0.0)
    async with ours.mirror("") as mirror:
        await until_mirrored(mirror, "missed")
    await ours.close()
