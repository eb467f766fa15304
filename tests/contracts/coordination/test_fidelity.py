"""Whatever is done, the memory store answers as etcd does: otherwise what is proven on it would prove nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.etcd import EtcdServer

from flyteplane.coordination import Compare, Coordination, Delete, EtcdCoordination, MemoryCoordination, Put
from flyteplane.coordination.values import CompareOperator, CompareTarget, Operation
from flyteplane.foundation.clock import ManualClock, SystemClock
from flyteplane.foundation.errors import PlatformError

from .conftest import eventually

#: A lease of a step: none, the one that lives, the one that has ended.
LEASES = st.sampled_from(["none", "living", "ended"])
KEYS = st.sampled_from(["a", "p/a", "p/b", "p/ä"])
VALUES = st.sampled_from([b"", b"1", b"2\xff"])
#: Revisions count from the start of the example.
REVISIONS = st.integers(min_value=-1, max_value=6)

PutStep = tuple[str, bytes, str]
DeleteStep = tuple[str, bool]
CompareStep = tuple[str, CompareTarget, int | bytes, CompareOperator]
TxnStep = tuple[list[CompareStep], list[PutStep | DeleteStep], list[PutStep | DeleteStep]]

puts: st.SearchStrategy[PutStep] = st.tuples(KEYS, VALUES, LEASES)
deletes: st.SearchStrategy[DeleteStep] = st.tuples(st.sampled_from(["a", "p/a", "p/"]), st.booleans())
operations = st.lists(st.one_of(puts, deletes), max_size=3)
compares: st.SearchStrategy[CompareStep] = st.one_of(
    st.tuples(KEYS, st.just(CompareTarget.VALUE), VALUES, st.sampled_from(CompareOperator)),
    st.tuples(KEYS, st.just(CompareTarget.VERSION), st.integers(0, 2), st.sampled_from(CompareOperator)),
    st.tuples(
        KEYS,
        st.sampled_from([CompareTarget.CREATE_REVISION, CompareTarget.MOD_REVISION]),
        REVISIONS,
        st.sampled_from(CompareOperator),
    ),
)
transactions: st.SearchStrategy[TxnStep] = st.tuples(st.lists(compares, max_size=2), operations, operations)


class Player:
    """One of the two stores, and its own names of the leases."""

    def __init__(self, store: Coordination, leases: dict[str, int], base: int) -> None:
        self.store = store
        self.leases = leases
        self.base = base

    async def play(self, step: TxnStep) -> object:
        when, then, otherwise = step
        try:
            result = await self.store.txn(
                when=[self.compare(compare) for compare in when],
                then=self.operations(then),
                otherwise=self.operations(otherwise),
            )
        except PlatformError as error:
            return type(error), error.reason
        return result, [replace(kept, lease_id=self.name(kept.lease_id)) for kept in await self.store.list("")]

    def name(self, lease_id: int) -> int:
        """The place of a lease in the order of granting: ids differ."""
        return list(self.leases.values()).index(lease_id)

    def compare(self, step: CompareStep) -> Compare:
        key, target, expected, operator = step
        if isinstance(expected, int) and target is not CompareTarget.VERSION:
            expected = self.base + expected if expected >= 0 else 0
        return Compare(key, target, expected, operator)

    def operations(self, steps: Sequence[PutStep | DeleteStep]) -> list[Operation]:
        return [
            Delete(step[0], prefix=step[1]) if len(step) == 2 else Put(step[0], step[1], self.leases[step[2]])
            for step in steps
        ]


async def player(store: Coordination, base: int) -> Player:
    ended = await store.grant(60)
    await store.revoke(ended)
    return Player(store, {"none": 0, "living": await store.grant(60), "ended": ended}, base)


async def compare_stores(server: EtcdServer, steps: Sequence[TxnStep]) -> None:
    etcd = EtcdCoordination(server.settings(prefix="/fidelity/"), clock=SystemClock())
    await etcd.txn(when=[], then=[Delete("", prefix=True)])
    base = (await etcd.txn(when=[])).revision
    memory = MemoryCoordination(clock=ManualClock(), initial_revision=base)
    real, modelled = await player(etcd, base), await player(memory, base)
    async with etcd.mirror("p/") as mirror:
        for step in steps:
            assert await real.play(step) == await modelled.play(step)
        for each in (real, modelled):
            await each.store.revoke(each.leases["living"])
        assert await etcd.list("") == await memory.list("")
        expected = {kept.key: kept for kept in await memory.list("p/")}
        await eventually(lambda: dict(mirror.snapshot) == expected)
    await etcd.txn(when=[], then=[Delete("", prefix=True)])
    await etcd.close()
    await memory.close()


@settings(max_examples=40)
@given(steps=st.lists(transactions, min_size=1, max_size=8))
def test_the_memory_store_answers_as_etcd_does(etcd_server: EtcdServer, steps: list[TxnStep]) -> None:
    asyncio.run(compare_stores(etcd_server, steps))
