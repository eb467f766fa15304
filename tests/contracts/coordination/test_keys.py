"""Keys, revisions and transactions."""

from __future__ import annotations

import pytest

from flyteplane.coordination import Coordination, Delete, Put, absent, created_at, holds, present, unchanged
from flyteplane.coordination.values import MOST_OPERATIONS, Compare, CompareOperator, CompareTarget
from flyteplane.foundation.errors import InvalidArgument


async def test_a_key_that_was_never_written_is_none(coordination: Coordination) -> None:
    assert await coordination.get("a") is None


async def test_a_written_key_knows_its_revisions(coordination: Coordination) -> None:
    first = await coordination.put("a", b"1")
    second = await coordination.put("a", b"2")
    kept = await coordination.get("a")
    assert kept is not None
    assert (kept.key, kept.value, kept.version, kept.lease_id) == ("a", b"2", 2, 0)
    assert (kept.create_revision, kept.mod_revision) == (first, second)
    assert second > first


async def test_a_key_made_again_has_a_later_creation_revision(coordination: Coordination) -> None:
    first = await coordination.put("a", b"1")
    assert await coordination.delete("a")
    again = await coordination.put("a", b"1")
    kept = await coordination.get("a")
    assert kept is not None
    assert (kept.create_revision, kept.version) == (again, 1)
    assert again > first


async def test_deleting_what_is_not_there_changes_nothing(coordination: Coordination) -> None:
    before = await coordination.put("a", b"")
    assert not await coordination.delete("b")
    assert await coordination.put("a", b"") == before + 1


async def test_a_list_is_ordered_and_holds_only_the_prefix(coordination: Coordination) -> None:
    for key in ("p/b", "p/a", "q/a", "p"):
        await coordination.put(key, key.encode())
    assert [kept.key for kept in await coordination.list("p/")] == ["p/a", "p/b"]
    assert [kept.key for kept in await coordination.list("")] == ["p", "p/a", "p/b", "q/a"]


async def test_a_transaction_applies_one_side_at_one_revision(coordination: Coordination) -> None:
    result = await coordination.txn(
        when=[absent("a")], then=[Put("a", b"1"), Put("b", b"2")], otherwise=[Put("c", b"")]
    )
    assert result.succeeded
    kept = await coordination.list("")
    assert [item.key for item in kept] == ["a", "b"]
    assert {item.mod_revision for item in kept} == {result.revision}
    result = await coordination.txn(when=[absent("a")], then=[Put("b", b"x")], otherwise=[Put("c", b"3")])
    assert not result.succeeded
    assert [item.key for item in await coordination.list("")] == ["a", "b", "c"]


async def test_every_condition_must_hold(coordination: Coordination) -> None:
    revision = await coordination.put("a", b"1")
    held = await coordination.txn(
        when=[present("a"), created_at("a", revision), unchanged("a", revision), holds("a", b"1"), absent("b")]
    )
    assert held.succeeded
    for broken in (absent("a"), created_at("a", 1), unchanged("a", 1), holds("a", b"2"), present("b")):
        assert not (await coordination.txn(when=[present("a"), broken], then=[Put("z", b"")])).succeeded
    assert await coordination.get("z") is None


@pytest.mark.parametrize(
    ("operator", "expected", "holding"),
    [
        (CompareOperator.LESS, 3, True),
        (CompareOperator.LESS, 2, False),
        (CompareOperator.GREATER, 1, True),
        (CompareOperator.GREATER, 2, False),
        (CompareOperator.NOT_EQUAL, 1, True),
        (CompareOperator.NOT_EQUAL, 2, False),
    ],
)
async def test_conditions_may_compare_the_order(
    coordination: Coordination, operator: CompareOperator, expected: int, holding: bool
) -> None:
    await coordination.put("a", b"")
    await coordination.put("a", b"")
    result = await coordination.txn(when=[Compare("a", CompareTarget.VERSION, expected, operator)])
    assert result.succeeded is holding


async def test_compare_and_swap_lets_one_of_two_win(coordination: Coordination) -> None:
    revision = await coordination.put("a", b"0")
    first = await coordination.txn(when=[unchanged("a", revision)], then=[Put("a", b"1")])
    second = await coordination.txn(when=[unchanged("a", revision)], then=[Put("a", b"2")])
    assert (first.succeeded, second.succeeded) == (True, False)
    kept = await coordination.get("a")
    assert kept is not None
    assert kept.value == b"1"


async def test_a_transaction_that_changes_nothing_keeps_the_revision(coordination: Coordination) -> None:
    revision = await coordination.put("a", b"")
    assert (await coordination.txn(when=[absent("a")], then=[Put("b", b"")])).revision == revision


async def test_a_prefix_is_deleted_as_one_step(coordination: Coordination) -> None:
    for key in ("p/a", "p/b", "q"):
        await coordination.put(key, b"")
    await coordination.txn(when=[], then=[Delete("p/", prefix=True)])
    assert [kept.key for kept in await coordination.list("")] == ["q"]


async def test_writing_a_key_twice_in_one_transaction_is_refused(coordination: Coordination) -> None:
    with pytest.raises(InvalidArgument):
        await coordination.txn(when=[], then=[Put("a", b"1"), Put("a", b"2")])
    assert await coordination.get("a") is None


@pytest.mark.parametrize("applied", [True, False])
async def test_a_key_written_twice_is_refused_on_either_side(coordination: Coordination, applied: bool) -> None:
    condition = absent("a") if applied else present("a")
    with pytest.raises(InvalidArgument) as raised:
        await coordination.txn(when=[condition], then=[Put("b", b"")], otherwise=[Put("a", b"1"), Put("a", b"2")])
    assert raised.value.reason == "DUPLICATE_KEY"
    assert await coordination.list("") == []


@pytest.mark.parametrize("removal", [Delete("p/a"), Delete("p/", prefix=True)])
async def test_a_key_written_and_removed_in_one_transaction_is_refused(
    coordination: Coordination, removal: Delete
) -> None:
    with pytest.raises(InvalidArgument):
        await coordination.txn(when=[], then=[Put("p/a", b"1"), removal])
    assert await coordination.list("") == []


async def test_a_transaction_may_have_only_so_many_operations(coordination: Coordination) -> None:
    puts = [Put(str(number), b"") for number in range(MOST_OPERATIONS + 1)]
    with pytest.raises(InvalidArgument) as raised:
        await coordination.txn(when=[], then=puts)
    assert raised.value.reason == "TOO_LARGE"
    assert (await coordination.txn(when=[], then=puts[1:])).succeeded


async def test_a_condition_on_the_value_of_an_absent_key_never_holds(coordination: Coordination) -> None:
    for operator in CompareOperator:
        for expected in (b"", b"a"):
            condition = Compare("a", CompareTarget.VALUE, expected, operator)
            assert not (await coordination.txn(when=[condition])).succeeded


async def test_keys_may_hold_any_text_and_values_any_bytes(coordination: Coordination) -> None:
    for key in ("ä/\u20ac", "\U0010ffff", "a b\n"):
        await coordination.put(key, bytes(range(256)))
    assert sorted(kept.key for kept in await coordination.list("")) == sorted(["ä/\u20ac", "\U0010ffff", "a b\n"])
    assert [kept.value for kept in await coordination.list("\U0010ffff")] == [bytes(range(256))]


async def test_a_long_list_is_whole(coordination: Coordination) -> None:
    for start in range(0, 4500, 100):
        await coordination.txn(when=[], then=[Put(f"p/{number:05}", b"") for number in range(start, start + 100)])
    assert [kept.key for kept in await coordination.list("p/")] == [f"p/{number:05}" for number in range(4500)]
