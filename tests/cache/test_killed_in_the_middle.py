"""A service that is killed before or after any single call of its stores, and the one that takes over."""

from __future__ import annotations

from contextlib import suppress

import pytest
from tests.cache.stage import TTL_S, Killed, Stage, key

from flyteplane.cache.domain.entries import PutOutcome

#: More calls than any of the use cases makes.
CALLS = range(1, 14)


@pytest.fixture(params=[True, False], ids=["before", "after"])
def before(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def killed_at(stage: Stage, call: int, before: bool, *, owner: str) -> None:
    """An owner reserves and stores, until the service dies at a call, if it comes to that; then the next one starts."""
    stage.calls, stage.deadly_at = 0, (call, before)
    with suppress(Killed):
        granted = await stage.reserve(key(), owner)
        assert granted.reservation is not None
        await stage.put(key(), owner, granted.reservation.token)
    stage.deadly_at = None
    stage.start()


@pytest.mark.parametrize("call", CALLS)
async def test_the_same_owner_goes_on_where_it_was(call: int, before: bool) -> None:
    stage = Stage()
    await killed_at(stage, call, before, owner="a")
    granted = await stage.reserve(key(), "a")
    if granted.entry is None:
        assert granted.reservation is not None
        assert granted.reservation.acquired
        await stage.put(key(), "a", granted.reservation.token)
    assert await stage.value(key()) == b"a"


@pytest.mark.parametrize("call", CALLS)
async def test_another_owner_computes_or_is_given_the_value(call: int, before: bool) -> None:
    stage = Stage()
    await killed_at(stage, call, before, owner="a")
    first = await stage.reserve(key(), "b")
    if first.reservation is not None and not first.reservation.acquired:
        assert first.reservation.owner == "a"
        stage.pass_time(TTL_S + 1)
        first = await stage.reserve(key(), "b")
    if first.entry is not None:
        assert first.entry.outputs == b"a"
        return
    assert first.reservation is not None
    assert first.reservation.acquired
    assert await stage.put(key(), "b", first.reservation.token) is PutOutcome.STORED
    assert await stage.value(key()) == b"b"


@pytest.mark.parametrize("call", CALLS)
async def test_whoever_was_overtaken_meanwhile_is_refused(call: int, before: bool) -> None:
    stage = Stage()
    old = (await stage.reserve(key(), "old")).reservation
    assert old is not None
    stage.pass_time(TTL_S + 1)
    await killed_at(stage, call, before, owner="new")
    again = await stage.reserve(key(), "new")
    outcome = await stage.put(key(), "old", old.token)
    if again.entry is None:
        assert again.reservation is not None
        assert outcome is PutOutcome.FENCED
        assert await stage.put(key(), "new", again.reservation.token) is PutOutcome.STORED
    assert await stage.value(key()) == b"new"


@pytest.mark.parametrize("call", CALLS)
async def test_an_overwriting_owner_replaces_the_value_once(call: int, before: bool) -> None:
    stage = Stage()
    await stage.put(key(), "first", 0)
    stage.calls, stage.deadly_at = 0, (call, before)
    with suppress(Killed):
        held = (await stage.reserve(key(), "second", overwrite=True)).reservation
        assert held is not None
        await stage.put(key(), "second", held.token, overwrite=True)
    stage.deadly_at = None
    stage.start()
    assert await stage.value(key()) in (b"first", b"second")
    held = (await stage.reserve(key(), "second", overwrite=True)).reservation
    assert held is not None
    assert held.acquired
    assert await stage.put(key(), "second", held.token, overwrite=True) is PutOutcome.STORED
    assert await stage.value(key()) == b"second"
