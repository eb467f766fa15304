"""The stores keep what their ports promise, in SQLite and PostgreSQL, and their schema is what the migrations make."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.dialects import sqlite
from tests.support.postgres import database_url

from flyteplane.admin.application.ports import PhaseBatch, PhaseChange
from flyteplane.admin.domain.notification import SENT, NotificationState, Outcome
from flyteplane.admin.domain.project import Project
from flyteplane.admin.domain.run import (
    NewRun,
    NotificationPlan,
    RunDraft,
    RunFilter,
    RunKey,
    RunPhase,
    RunProgress,
    TaskChoice,
)
from flyteplane.admin.domain.run_identity import draft_digest
from flyteplane.admin.domain.trigger import TriggerKey, TriggerState
from flyteplane.admin.store import migrations
from flyteplane.admin.store.notifications import SqlNotificationStore
from flyteplane.admin.store.projects import SqlProjectStore
from flyteplane.admin.store.run_rows import page_queries
from flyteplane.admin.store.runs import SqlRunStore
from flyteplane.admin.store.triggers import SqlTriggerStore
from flyteplane.foundation.errors import AlreadyExists, FailedPrecondition, NotFound
from flyteplane.records import Database, migrate, open_database
from flyteplane.records.migrate import run_revisions

PACKAGE = "flyteplane.admin.store.migrations"


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(database_url(request.param, request=request, folder=tmp_path))
    await migrate(opened, package=PACKAGE)
    await SqlProjectStore(opened).create(Project(id="p", domains=("d",)))
    yield opened
    await opened.close()


def new_run(name: str, *, request_id: str = "", inputs: bytes = b"i", project: str = "p", **draft: Any) -> NewRun:
    asked = RunDraft(
        project=project,
        domain="d",
        name=name,
        request_id=request_id,
        task=TaskChoice(name="e.f", digest=b"t" * 32, spec=b"spec"),
        inputs=inputs,
        inputs_digest=b"",
        settings=b"s",
        created_by="me",
        **draft,
    )
    return NewRun(key=RunKey(project, "d", name), draft=asked, digest=draft_digest(asked), created_at_us=1)


async def test_a_stored_run_reads_back_as_it_was_answered(database: Database) -> None:
    runs = SqlRunStore(database)
    run = new_run("r1", request_id="q", source=RunKey("p", "d", "r0"), labels={"a": "b"})
    stored = await runs.add(run)
    assert await runs.get(run.key) == stored.record
    assert await runs.submission(run.key) == run.submission
    assert await runs.pending() == [run.key]


async def test_one_bad_run_of_a_group_commit_fails_alone(database: Database) -> None:
    runs = SqlRunStore(database)
    await runs.add(new_run("taken"))
    good = [runs.add(new_run(f"r{number}")) for number in range(5)]
    bad = [runs.add(new_run("taken", inputs=b"other")), runs.add(new_run("x", project="moon"))]
    outcomes = await asyncio.gather(*good[:2], *bad, *good[2:], return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[2:4]] == [AlreadyExists, NotFound]
    assert len(await runs.pending()) == 6


async def test_only_a_run_in_the_outbox_can_be_taken_back(database: Database) -> None:
    runs = SqlRunStore(database)
    waiting, taken = new_run("waiting", labels={"a": "b"}), new_run("taken")
    for run in (waiting, taken):
        await runs.add(run)
    assert await runs.settle([taken.key]) == {}
    await runs.take_back(waiting.key)
    await runs.take_back(taken.key)
    assert await runs.get(waiting.key) is None
    assert await runs.get(taken.key) is not None
    assert await runs.pending() == []


async def test_an_asked_abort_keeps_its_entry_until_it_is_carried_out(database: Database) -> None:
    runs = SqlRunStore(database)
    marked, plain = new_run("marked"), new_run("plain")
    for run in (marked, plain):
        await runs.add(run)
    assert await runs.ask_abort(marked.key, reason="why")
    assert await runs.settle([marked.key, plain.key]) == {marked.key: "why"}
    assert await runs.pending() == [marked.key]
    await runs.settle_aborted(marked.key)
    assert await runs.pending() == []
    assert not await runs.ask_abort(marked.key, reason="late")


async def test_phases_and_cursor_move_together(database: Database) -> None:
    runs = SqlRunStore(database)
    run = new_run("r1")
    await runs.add(run)
    assert await runs.phase_cursor() == 0
    done = RunProgress(phase=RunPhase.SUCCEEDED, started_at_us=5, ended_at_us=9)
    await runs.apply_phases(PhaseBatch(changes=[PhaseChange(run=run.key, progress=done)], cursor=4))
    await runs.apply_phases(PhaseBatch(changes=[], cursor=6))
    assert await runs.phase_cursor() == 6
    record = await runs.get(run.key)
    assert record is not None
    assert record.progress == done


async def test_runs_that_end_together_are_written_together_and_an_end_is_final(database: Database) -> None:
    runs = SqlRunStore(database)
    both = [new_run("r1"), new_run("r2")]
    done = RunProgress(phase=RunPhase.SUCCEEDED, started_at_us=5, ended_at_us=9)
    late = RunProgress(phase=RunPhase.RUNNING, started_at_us=5)
    for run in both:
        await runs.add(run)
    for cursor, progress in ((2, done), (4, late)):
        changes = [PhaseChange(run=run.key, progress=progress) for run in both]
        await runs.apply_phases(PhaseBatch(changes=changes, cursor=cursor))
    records = [await runs.get(run.key) for run in both]
    assert [record and record.progress for record in records] == [done, done]
    assert await runs.phase_cursor() == 4


async def test_a_name_and_a_request_id_of_two_runs_are_both_refused(database: Database) -> None:
    runs = SqlRunStore(database)
    await runs.add(new_run("r1", request_id="q1"))
    await runs.add(new_run("r2", request_id="q2"))
    with pytest.raises(AlreadyExists) as refusal:
        await runs.add(new_run("r1", request_id="q2"))
    assert refusal.value.reason == "REQUEST_ID_REUSED"


async def test_an_empty_filter_finds_everything_and_positions_are_exclusive(database: Database) -> None:
    runs = SqlRunStore(database)
    for number in range(3):
        await runs.add(new_run(f"r{number}"))
    found = await runs.list(RunFilter(), before=None, limit=10)
    assert [run.key.name for run in found] == ["r2", "r1", "r0"]
    rest = await runs.list(RunFilter(), before=found[0].sequence, limit=1)
    assert [run.key.name for run in rest] == ["r1"]


def state(wake_at_us: int | None = None) -> TriggerState:
    return TriggerState(active=True, anchor_us=1, fired_until_us=1, wake_at_us=wake_at_us)


async def test_a_trigger_is_changed_only_by_whoever_has_seen_it_last(database: Database) -> None:
    triggers, key = SqlTriggerStore(database), TriggerKey("p", "d", "e.f", "t")
    first = await triggers.put(key, content=b"one", state=state(), known=None)
    assert first is not None
    assert await triggers.put(key, content=b"two", state=state(), known=None) is None
    second = await triggers.put(key, content=b"two", state=state(7), known=first)
    assert second is not None
    assert await triggers.put(key, content=b"three", state=state(), known=first) is None
    assert await triggers.get(key) == second
    assert await triggers.delete(key)
    assert not await triggers.delete(key)
    assert await triggers.put(key, content=b"three", state=state(), known=second) is None
    with pytest.raises(NotFound):
        await triggers.put(TriggerKey("nobody", "d", "e.f", "t"), content=b"", state=state(), known=None)


async def test_triggers_that_are_due_come_in_the_order_of_their_time(database: Database) -> None:
    triggers = SqlTriggerStore(database)
    assert await triggers.next_wake() is None
    for name, wake_at_us in (("late", 9), ("soon", 3), ("sooner", 2), ("never", None)):
        await triggers.put(TriggerKey("p", "d", "e.f", name), content=b"", state=state(wake_at_us), known=None)
    assert [due.key.name for due in await triggers.due(now_us=3, limit=9)] == ["sooner", "soon"]
    assert [due.key.name for due in await triggers.due(now_us=99, limit=1)] == ["sooner"]
    assert await triggers.next_wake() == 2
    start = ("", "")
    listed = await triggers.list(project="p", domain="d", task_name="", after=start, limit=9)
    assert [trigger.key.name for trigger in listed] == ["late", "never", "soon", "sooner"]
    some = await triggers.list(project="p", domain="d", task_name="e.f", after=("e.f", "late"), limit=2)
    assert [trigger.key.name for trigger in some] == ["never", "soon"]
    assert not await triggers.list(project="p", domain="d", task_name="", after=("e.g", ""), limit=9)
    assert not await triggers.list(project="p", domain="d", task_name="e.other", after=start, limit=9)


async def test_runs_can_be_looked_for_among_very_many_names(database: Database) -> None:
    runs = SqlRunStore(database)
    for name in ("r1", "r2", "r3"):
        await runs.add(new_run(name))
    many = [RunKey("p", "d", f"other-{number:06}") for number in range(12_000)]
    where, wanted = RunFilter(project="p"), {*many, RunKey("p", "d", "r1"), RunKey("p", "d", "r3")}
    found = await runs.list(where, before=None, limit=9, among=wanted)
    assert [run.key.name for run in found] == ["r3", "r1"]
    newest = await runs.list(where, before=None, limit=1, among=wanted)
    assert newest == found[:1]
    assert await runs.list(where, before=found[0].sequence, limit=9, among=wanted) == found[1:]
    assert not await runs.list(where, before=None, limit=9, among=())


async def test_runs_of_several_phases_come_in_one_order_page_by_page(database: Database) -> None:
    runs = SqlRunStore(database)
    keys = [(await runs.add(new_run(f"r{number}"))).record.key for number in range(7)]
    ended = [PhaseChange(run=key, progress=RunProgress(phase=RunPhase.FAILED, ended_at_us=2)) for key in keys[1::2]]
    await runs.apply_phases(PhaseBatch(cursor=1, changes=ended))
    both = RunFilter(project="p", domain="d", phases=frozenset({RunPhase.QUEUED, RunPhase.FAILED}))
    first = await runs.list(both, before=None, limit=4)
    second = await runs.list(both, before=first[-1].sequence, limit=4)
    assert [record.key for record in (*first, *second)] == keys[::-1]


async def test_runs_that_ended_long_ago_are_forgotten_with_what_belongs_to_them(database: Database) -> None:
    runs = SqlRunStore(database)
    keys = [(await runs.add(new_run(f"r{number}", labels={"a": "b"}))).record.key for number in range(5)]
    await runs.settle(keys)
    ends = zip(keys[:4], (5, 1, 9, 2), strict=True)
    ended = [PhaseChange(run=key, progress=RunProgress(phase=RunPhase.FAILED, ended_at_us=at)) for key, at in ends]
    await runs.apply_phases(PhaseBatch(cursor=1, changes=ended))
    assert [await runs.forget(before_us=6, most=2) for _ in range(3)] == [2, 1, 0]
    left = await runs.list(RunFilter(labels={"a": "b"}), before=None, limit=9)
    assert [record.key for record in left] == [keys[4], keys[2]]
    labels = await database.read(
        lambda connection: connection.execute(text("SELECT count(*) FROM run_labels")).scalar()
    )
    assert labels == 2


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ({}, "runs_place"),
        ({"phases": frozenset({RunPhase.RUNNING})}, "runs_place_phase"),
        ({"queue": "q"}, "runs_place_queue"),
        ({"created_by": "me"}, "runs_place_created_by"),
        ({"task_version": "v"}, "runs_place_version"),
        ({"task_name": "e.f"}, "runs_task"),
        ({"source": RunKey("p", "d", "r0")}, "runs_source_run"),
    ],
)
async def test_a_list_looks_at_no_more_runs_than_it_gives(tmp_path: Path, where: dict[str, Any], index: str) -> None:
    database = await open_database(f"sqlite:///{tmp_path}/admin.db")
    await migrate(database, package=PACKAGE)
    (query,) = page_queries(RunFilter(project="p", domain="d", **where), before=9, limit=100)
    statement = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    plan = await database.read(lambda connection: connection.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all())
    assert [f"INDEX {index} " in step.detail for step in plan] == [True], plan
    await database.close()


async def test_the_revisions_make_the_same_schema_as_a_fresh_database(tmp_path: Path) -> None:
    fresh = await open_database(f"sqlite:///{tmp_path / 'fresh.db'}")
    revised = await open_database(f"sqlite:///{tmp_path / 'revised.db'}")
    await migrate(fresh, package=PACKAGE)
    await revised.transaction(lambda connection: run_revisions(connection, migrations))
    assert await fresh.read(described) == await revised.read(described)
    for database in (fresh, revised):
        await database.close()


async def test_a_database_from_the_future_is_refused(tmp_path: Path) -> None:
    database = await open_database(f"sqlite:///{tmp_path / 'admin.db'}")
    await migrate(database, package=PACKAGE)
    await database.transaction(
        lambda connection: connection.execute(text("update admin_version set version_num='9999'"))
    )
    with pytest.raises(FailedPrecondition) as refusal:
        await migrate(database, package=PACKAGE)
    assert refusal.value.reason == "SCHEMA_FROM_THE_FUTURE"
    await database.close()


def described(connection: Connection) -> dict[str, object]:
    """The schema as the database itself knows it."""
    inspector = inspect(connection)
    return {
        table: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)],
            sorted((str(index["name"]), index["column_names"]) for index in inspector.get_indexes(table)),
            sorted((str(key["name"]), key["column_names"]) for key in inspector.get_unique_constraints(table)),
            [(key["constrained_columns"], key["referred_table"]) for key in inspector.get_foreign_keys(table)],
            inspector.get_pk_constraint(table)["constrained_columns"],
        )
        for table in sorted(inspector.get_table_names())
    }


async def test_notifications_become_due_with_the_end_that_they_are_for_and_are_noted_once(database: Database) -> None:
    told: list[str] = []
    runs = SqlRunStore(database, on_notifications_due=lambda: told.append("due"))
    notifications = SqlNotificationStore(database)
    plans = (
        NotificationPlan(phases=frozenset({RunPhase.FAILED, RunPhase.TIMED_OUT})),
        NotificationPlan(phases=frozenset({RunPhase.SUCCEEDED}), named="ops"),
    )
    for name in ("r1", "r2"):
        await runs.add(new_run(name, notifications=plans))
    failed = RunProgress(phase=RunPhase.FAILED, ended_at_us=50, error=b"e")
    for cursor, progress in ((1, RunProgress(phase=RunPhase.RUNNING)), (2, failed), (3, failed)):
        change = PhaseChange(run=RunKey("p", "d", "r1"), progress=progress)
        await runs.apply_phases(PhaseBatch(changes=(change,), cursor=cursor))
    assert await notifications.due(now_us=49, limit=8) == []
    (due,) = await notifications.due(now_us=50, limit=8)
    assert (due.run.name, due.position, due.error, due.due_since_us, due.phase) == ("r1", 0, b"e", 50, RunPhase.FAILED)
    await notifications.note(due, Outcome(state=NotificationState.DUE, try_at_us=70, error="away"))
    assert await notifications.next_try() == 70
    (again,) = await notifications.due(now_us=70, limit=8)
    await notifications.note(again, SENT)
    await notifications.note(again, Outcome(state=NotificationState.GIVEN_UP, error="late"))
    states = [(one.plan, one.state, one.attempts) for one in await notifications.of_run(RunKey("p", "d", "r1"))]
    assert states == [(plans[0], NotificationState.SENT, 2), (plans[1], NotificationState.NOT_NEEDED, 0)]
    assert {one.state for one in await notifications.of_run(RunKey("p", "d", "r2"))} == {NotificationState.WAITING}
    assert told
