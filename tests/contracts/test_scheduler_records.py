"""The contract of the scheduler's records, over all adapters."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.postgres import database_url

from flyteplane.foundation.errors import Aborted
from flyteplane.records import migrate, open_database
from flyteplane.scheduler.application.ports import (
    ActionFilter,
    ActionRow,
    Changes,
    Records,
    RunKey,
    RunRow,
    SegmentRow,
    TraceRow,
)
from flyteplane.scheduler.store.memory_records import MemoryRecords
from flyteplane.scheduler.store.sql_records import SqlRecords

Open = Callable[[], Awaitable[Records]]
KEY = RunKey("project", "domain", "run")


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def open_records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens one owner after another on the same store."""
    opened: list[Records] = []
    memory = MemoryRecords()
    url = database_url(request.param, request=request, folder=tmp_path)

    async def open_one() -> Records:
        records: Records
        if request.param == "memory":
            records = memory.open()
        else:
            database = await open_database(url)
            await migrate(database, package="flyteplane.scheduler.store.migrations")
            records = SqlRecords(database)
        opened.append(records)
        return records

    yield open_one
    for records in opened:
        await records.close()


@pytest.fixture
async def records(open_records: Open) -> Records:
    """An owner that has claimed the shard."""
    records = await open_records()
    await records.claim(at_least=1)
    return records


def run(run_id: int = 1, key: RunKey = KEY, phase: int = 1) -> RunRow:
    return RunRow(key=key, id=run_id, digest=b"d", settings=b"s", phase=phase, created_at=1.0)


def action(
    ordinal: int, name: str, *, phase: int = 1, parent: str = "", group: str = "g", outputs: bytes | None = None
) -> ActionRow:
    return ActionRow(
        run_id=1,
        ordinal=ordinal,
        name=name,
        parent=parent,
        task_digest=b"t",
        group_label=group,
        inputs=b"in",
        inputs_digest=b"di",
        custom_context=b"cc",
        created_at=1.0,
        phase=phase,
        attempt=0,
        task_failures=0,
        system_failures=0,
        killed=0,
        queued_at=0.0,
        placed_at=0.0,
        started_at=0.0,
        first_started_at=0.0,
        ended_at=0.0,
        not_before=0.0,
        error=b"",
        outputs=outputs,
        cache_status=0,
        cached_from="",
        reason="",
        worker="",
        history=b"",
        lease=(1 << 63) - 1,
        cluster="",
        resource_class="",
    )


async def test_each_claim_gives_a_higher_epoch(open_records: Open) -> None:
    first = await (await open_records()).claim(at_least=1)
    second = await (await open_records()).claim(at_least=1)
    third = await (await open_records()).claim(at_least=100)
    assert first < second < third
    assert third >= 100


async def test_an_owner_without_a_claim_cannot_write(open_records: Open) -> None:
    records = await open_records()
    with pytest.raises(Aborted):
        await records.save(Changes(runs=[run()]))


async def test_an_owner_that_was_replaced_cannot_write(open_records: Open, records: Records) -> None:
    await records.save(Changes(runs=[run()]))
    await (await open_records()).claim(at_least=1)
    with pytest.raises(Aborted) as refused:
        await records.save(Changes(run_phases=[run(phase=5)]))
    assert refused.value.reason == "FENCED"
    stored = await records.run(KEY)
    assert stored is not None
    assert stored.phase == 1


async def test_living_runs_come_with_their_actions_in_order_and_without_outputs(records: Records) -> None:
    other = RunKey("project", "domain", "other")
    ended = RunRow(key=other, id=2, digest=b"", settings=b"", phase=5, created_at=1.0)
    rows = [action(2, "b", parent="a0", phase=5, outputs=b"out"), action(1, "a0")]
    await records.save(Changes(runs=[run(), ended], inserted=rows, tasks=[(b"t", b"spec")]))
    await records.save(
        Changes(segments=[SegmentRow(1, 1, 3, b"a"), SegmentRow(1, 4, 8, b"b"), SegmentRow(2, 1, 1, b"c")])
    )
    runs, actions, _, last_sequences = await records.living()
    assert [row.key for row in runs] == [KEY]
    assert [row.name for row in actions] == ["a0", "b"]
    assert actions[1].outputs is None
    assert last_sequences == {1: 8}
    assert (await records.action(1, "b")) == rows[0]
    assert await records.task(b"t") == b"spec"
    assert await records.highest_run_id() == 2


async def test_an_update_changes_what_may_change_and_nothing_else(records: Records) -> None:
    await records.save(Changes(runs=[run()], inserted=[action(1, "a0")]))
    changed = action(1, "a0")._replace(phase=5, outputs=b"out", inputs=b"other", reason="because", ended_at=9.0)
    await records.save(Changes(updated=[changed]))
    assert await records.action(1, "a0") == changed._replace(inputs=b"in")


async def test_one_transaction_inserts_and_then_updates(records: Records) -> None:
    await records.save(Changes(runs=[run()], inserted=[action(1, "a0")], updated=[action(1, "a0", phase=4)]))
    stored = await records.action(1, "a0")
    assert stored is not None
    assert stored.phase == 4


async def test_a_task_may_be_stored_again(records: Records) -> None:
    await records.save(Changes(tasks=[(b"t", b"spec")]))
    await records.save(Changes(tasks=[(b"t", b"spec"), (b"u", b"other")]))
    assert await records.task(b"u") == b"other"


EIGHT_CHILDREN = [
    action(n, f"c{n}", parent="a0" if n % 2 else "p", group="" if n % 2 else "even", phase=5 if n > 4 else 1)
    for n in range(1, 9)
]


async def test_pages_of_actions_are_filtered_and_ordered(records: Records) -> None:
    rows = EIGHT_CHILDREN
    await records.save(Changes(runs=[run()], inserted=rows))
    assert [row.name for row in await records.actions(1, after=2, limit=3)] == ["c3", "c4", "c5"]

    async def names(after: int, where: ActionFilter) -> list[str]:
        return [row.name for row in await records.actions(1, after=after, limit=9, where=where)]

    assert await names(0, ActionFilter(parent="p")) == ["c2", "c4", "c6", "c8"]
    assert await names(5, ActionFilter(phases=[5])) == ["c6", "c7", "c8"]
    assert await names(2, ActionFilter(names=["c7", "c1", "c3", "no"])) == ["c3", "c7"]
    assert await names(0, ActionFilter(parent="p", group="even")) == ["c2", "c4", "c6", "c8"]
    assert await names(0, ActionFilter(group="")) == ["c1", "c3", "c5", "c7"]


async def test_actions_are_counted_by_parent_group_and_phase(records: Records) -> None:
    rows = EIGHT_CHILDREN
    await records.save(Changes(runs=[run()], inserted=rows))
    assert set(await records.action_counts(1, parents=["p", "no"])) == {("p", "even", 1, 2), ("p", "even", 5, 2)}
    assert set(await records.action_counts(1, parents=None)) == {
        ("a0", "", 1, 2),
        ("a0", "", 5, 2),
        ("p", "even", 1, 2),
        ("p", "even", 5, 2),
    }
    assert await records.action_counts(2, parents=None) == []


async def test_segments_are_found_by_any_sequence_inside(records: Records) -> None:
    segments = [SegmentRow(1, 1, 3, b"a"), SegmentRow(1, 4, 4, b"b"), SegmentRow(1, 5, 9, b"c")]
    await records.save(Changes(segments=segments))
    found = await records.segments(1, from_sequence=4, limit=10)
    assert [row for row in found if row.last_sequence >= 4] == segments[1:]
    assert (await records.segments(1, from_sequence=7, limit=10))[-1] == segments[2]
    assert list(await records.segments(2, from_sequence=1, limit=10)) == []


async def test_the_last_segment_is_found_from_far_beyond(records: Records) -> None:
    await records.save(Changes(segments=[SegmentRow(1, 1, 3, b"a"), SegmentRow(1, 4, 8, b"b")]))
    assert (await records.segments(1, from_sequence=1 << 62, limit=1))[-1].last_sequence == 8


async def test_run_changes_are_given_after_a_cursor(records: Records) -> None:
    await records.save(Changes(runs=[run()]))
    await records.save(Changes(run_phases=[run(phase=4)]))
    await records.save(Changes(run_phases=[run(phase=5)]))
    changes = await records.run_changes(after=0, limit=10)
    assert [(change.key, change.phase) for change in changes] == [(KEY, 4), (KEY, 5)]
    assert [change.phase for change in await records.run_changes(after=changes[0].cursor, limit=10)] == [5]
    assert await records.latest_run_change() == changes[1].cursor


async def test_an_unknown_run_or_action_is_none(records: Records) -> None:
    assert await records.run(KEY) is None
    assert await records.action(1, "a0") is None
    assert await records.task(b"none") is None


async def test_traces_come_in_order_of_action_and_recording(records: Records) -> None:
    rows = [TraceRow(1, 2, 1, b"c"), TraceRow(1, 1, 1, b"a"), TraceRow(1, 1, 2, b"b")]
    await records.save(Changes(runs=[run()], traces=rows[:1]))
    await records.save(Changes(traces=[*rows[1:], TraceRow(2, 1, 1, b"of a run that is gone")]))
    living = await records.living()
    assert [row.record for row in living.traces] == [b"a", b"b", b"c"]
    assert living.last_sequences == {}


@pytest.mark.parametrize("together", [True, False])
async def test_after_a_save_that_failed_nothing_later_is_stored(records: Records, together: bool) -> None:
    await records.save(Changes(runs=[run()]))
    good = asyncio.ensure_future(records.save(Changes(inserted=[action(1, "a0")])))
    bad = asyncio.ensure_future(records.save(Changes(inserted=[action(1, "a0")])))
    if not together:
        await asyncio.wait([bad])
    later = asyncio.ensure_future(records.save(Changes(inserted=[action(2, "b")])))
    await good
    for refused in (bad, later):
        with pytest.raises(Exception, match=r"."):
            await refused
    assert [row.name for row in await records.actions(1, after=0, limit=9)] == ["a0"]


async def test_a_run_that_ended_long_ago_is_forgotten_with_all_that_belongs_to_it(records: Records) -> None:
    old = replace(run(phase=5), ended_at=2.0)
    recent = replace(run(2, RunKey("p", "d", "recent"), phase=5), ended_at=9.0)
    newest = replace(run(3, RunKey("p", "d", "newest"), phase=5), ended_at=1.5)
    rows = [action(number, f"a{number}", phase=5) for number in range(1, 1203)]
    await records.save(Changes(runs=[old, recent, newest], run_phases=[old, recent], inserted=rows))
    await records.save(Changes(segments=[SegmentRow(1, 1, 3, b"a")], traces=[TraceRow(1, 1, 1, b"t")]))
    # The newest stays, or its id would be given out again.
    assert [row.key for row in await records.ended(before=5.0, limit=9)] == [KEY]
    await records.forget(1)
    await records.forget_changes(before=5.0)
    assert await records.ended(before=5.0, limit=9) == []
    assert await records.run(KEY) is None
    assert await records.actions(1, after=0, limit=9) == []
    assert await records.segments(1, from_sequence=1, limit=9) == []
    assert [change.key for change in await records.run_changes(after=0, limit=9)] == [recent.key]
    assert await records.highest_run_id() == 3


async def test_an_owner_that_was_replaced_forgets_nothing(open_records: Open, records: Records) -> None:
    await records.save(Changes(runs=[run(phase=5)]))
    await (await open_records()).claim(at_least=1)
    with pytest.raises(Aborted):
        await records.forget(1)
    assert await records.run(KEY) is not None
