"""Whatever is done to the memory store: mirrors agree with it, revisions only grow, ended leases hold nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from flyteplane.coordination import Change, Delete, KeyValue, MemoryCoordination, Put, unchanged
from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import NotFound

T = TypeVar("T")
KEYS = st.sampled_from(["p/a", "p/b", "p/c", "q/a"])
PREFIX = "p/"


class MemoryCoordinationMachine(RuleBasedStateMachine):
    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock()
        self.store = MemoryCoordination(clock=self.clock, initial_revision=10)
        self.expires: dict[int, float] = {}
        self.revision = 10
        self.epochs: dict[str, int] = {}
        self.mirror = self.store.mirror(PREFIX)
        self.do(self.mirror.__aenter__())
        self.changes = aiter(self.mirror)
        self.replayed: dict[str, KeyValue] = {}

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def alive(self, lease: int) -> bool:
        return self.expires.get(lease, -1.0) > self.clock.monotonic()

    @rule(key=KEYS, value=st.binary(max_size=2))
    def put(self, key: str, value: bytes) -> None:
        self.do(self.store.put(key, value))

    @rule(key=KEYS, lease=leases)
    def put_with_lease(self, key: str, lease: int) -> None:
        try:
            self.do(self.store.put(key, b"", lease_id=lease))
            assert self.alive(lease)
        except NotFound:
            assert not self.alive(lease)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        existed = self.do(self.store.get(key)) is not None
        assert self.do(self.store.delete(key)) is existed

    @rule(key=KEYS, other=KEYS, stale=st.booleans())
    def swap(self, key: str, other: str, stale: bool) -> None:
        kept = self.do(self.store.get(key))
        seen = (kept.mod_revision if kept else 0) - stale
        then = [Put(key, b"swapped")] + ([Delete(other)] if other != key else [])
        assert self.do(self.store.txn(when=[unchanged(key, seen)], then=then)).succeeded is not stale

    @rule(target=leases, ttl_s=st.integers(min_value=1, max_value=9))
    def grant(self, ttl_s: int) -> int:
        lease = self.do(self.store.grant(ttl_s))
        assert lease not in self.expires
        self.expires[lease] = self.clock.monotonic() + ttl_s
        return lease

    @rule(lease=leases)
    def keep_alive(self, lease: int) -> None:
        try:
            self.expires[lease] = self.clock.monotonic() + self.do(self.store.keep_alive(lease))
        except NotFound:
            assert not self.alive(lease)

    @rule(lease=leases)
    def revoke(self, lease: int) -> None:
        self.do(self.store.revoke(lease))
        self.expires[lease] = -1.0

    @rule(seconds=st.integers(min_value=1, max_value=5))
    def pass_time(self, seconds: int) -> None:
        self.clock.advance(seconds)

    async def next_batch(self) -> Sequence[Change]:
        return await anext(self.changes)

    @rule()
    def read_changes(self) -> None:
        if self.replayed == dict(self.mirror.snapshot):
            return
        for change in self.do(self.next_batch()):
            assert self.replayed.get(change.key) == change.previous
            if change.current is None:
                del self.replayed[change.key]
            else:
                self.replayed[change.key] = change.current
        assert self.replayed == dict(self.mirror.snapshot)

    @invariant()
    def mirror_equals_store(self) -> None:
        assert list(self.do(self.store.list(PREFIX))) == sorted(
            self.mirror.snapshot.values(), key=lambda kept: kept.key
        )

    @invariant()
    def revisions_and_epochs_grow(self) -> None:
        assert self.store.revision >= self.revision
        self.revision = self.store.revision
        for kept in self.do(self.store.list("")):
            assert kept.create_revision >= self.epochs.get(kept.key, 0)
            assert kept.create_revision <= kept.mod_revision <= self.revision
            self.epochs[kept.key] = kept.create_revision

    @invariant()
    def ended_leases_hold_nothing(self) -> None:
        assert all(self.alive(kept.lease_id) for kept in self.do(self.store.list("")) if kept.lease_id)

    def teardown(self) -> None:
        self.do(self.changes.aclose())  # type: ignore[attr-defined]
        self.loop.close()


TestMemoryCoordination = MemoryCoordinationMachine.TestCase
