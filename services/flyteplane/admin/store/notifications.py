"""Notifications of runs in the database.

They are planned in the transaction that stores the run and become due in the one that ends it. While no run that goes
on has any, the end of a run costs one look at an empty index.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Row,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    select,
    update,
)

from flyteplane.admin.domain.notification import (
    DueNotification,
    NotificationRecord,
    NotificationState,
    Outcome,
    mask_of,
    phases_in,
)
from flyteplane.admin.domain.run import NotificationPlan, RunKey, RunPhase, RunProgress
from flyteplane.admin.store import statements
from flyteplane.admin.store.tables import run_notifications, runs
from flyteplane.records import Database

_table: Final = run_notifications.c
_INSERT: Final = insert(run_notifications)
_IS_ASKED: Final = (_table.phases.op("&")(bindparam("bit", type_=Integer))) != 0
_SOMETHING_WAITS: Final = select(literal(1)).where(_table.state == int(NotificationState.WAITING)).limit(1)
_END: Final = (
    update(run_notifications)
    .where(
        _table.sequence == select(runs.c.sequence).where(statements.IS_RUN).scalar_subquery(),
        _table.state == int(NotificationState.WAITING),
    )
    .values(
        state=case((_IS_ASKED, int(NotificationState.DUE)), else_=int(NotificationState.NOT_NEEDED)),
        try_at_us=case((_IS_ASKED, bindparam("at_us", type_=BigInteger)), else_=None),
    )
)
_DUE: Final = (
    select(
        run_notifications,
        *(runs.c[name] for name in ("project", "domain", "name", "task_name", "phase", "error", "settings")),
        func.coalesce(runs.c.ended_at_us, runs.c.created_at_us).label("due_since_us"),
    )
    .join_from(run_notifications, runs)
    .where(_table.try_at_us <= bindparam("now_us"))
    .order_by(_table.try_at_us)
    .limit(bindparam("most"))
)
_NEXT_TRY: Final = select(func.min(_table.try_at_us))
_OF_RUN: Final = (
    select(run_notifications).join_from(run_notifications, runs).where(statements.IS_RUN).order_by(_table.position)
)


def plan_notifications(connection: Connection, sequence: int, plans: Sequence[NotificationPlan]) -> None:
    """Store what a new run asks for."""
    rows = [
        {
            "sequence": sequence,
            "position": position,
            "phases": mask_of(plan.phases),
            "named": plan.named,
            "state": int(NotificationState.WAITING),
            "attempts": 0,
            "try_at_us": None,
            "last_error": "",
        }
        for position, plan in enumerate(plans)
    ]
    if rows:
        connection.execute(_INSERT, rows)


def end_notifications(connection: Connection, ended: Iterable[tuple[RunKey, RunProgress]]) -> bool:
    """Make due what is to be sent at the end of these runs; returns whether there may be something.

    Does nothing to runs that had ended before.
    """
    changes = [
        {**statements.of(run), "bit": 1 << int(progress.phase), "at_us": progress.ended_at_us or 0}
        for run, progress in ended
        if progress.phase.is_terminal
    ]
    if not changes or connection.execute(_SOMETHING_WAITS).first() is None:
        return False
    connection.execute(_END, changes)
    return True


class SqlNotificationStore:
    """See `notification_ports.NotificationStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, *, now_us: int, limit: int) -> Sequence[DueNotification]:
        asked = {"now_us": now_us, "most": limit}
        return await self._database.read(lambda connection: [_due(row) for row in connection.execute(_DUE, asked)])

    async def next_try(self) -> int | None:
        return await self._database.read(lambda connection: connection.execute(_NEXT_TRY).scalar())

    async def note(self, due: DueNotification, outcome: Outcome) -> None:
        statement = (
            update(run_notifications)
            .where(
                and_(_table.sequence == due.sequence, _table.position == due.position),
                _table.state == int(NotificationState.DUE),
            )
            .values(
                state=int(outcome.state),
                attempts=due.attempts + 1,
                try_at_us=outcome.try_at_us,
                last_error=outcome.error,
            )
        )
        await self._database.write(lambda connection: connection.execute(statement).rowcount)

    async def of_run(self, key: RunKey) -> Sequence[NotificationRecord]:
        asked = statements.of(key)
        return await self._database.read(
            lambda connection: [_record(row) for row in connection.execute(_OF_RUN, asked)]
        )


def _due(row: Row[Any]) -> DueNotification:
    return DueNotification(
        sequence=row.sequence,
        position=row.position,
        named=row.named,
        attempts=row.attempts,
        due_since_us=row.due_since_us,
        run=RunKey(row.project, row.domain, row.name),
        task_name=row.task_name,
        phase=RunPhase.of(row.phase),
        error=row.error,
        settings=row.settings,
    )


def _record(row: Row[Any]) -> NotificationRecord:
    return NotificationRecord(
        position=row.position,
        plan=NotificationPlan(phases=phases_in(row.phases), named=row.named),
        state=NotificationState(row.state),
        attempts=row.attempts,
        last_error=row.last_error,
    )
