"""The statements of runs, built once.

Building an expression costs SQLAlchemy more than running it, so what every run needs is built when the module is loaded
and only given its parameters later. Parameters: p(roject), d(omain), n(ame), c(reated_by), r(equest_id).
"""

from typing import Any, Final

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update

from flyteplane.admin.domain.run import TERMINAL_PHASES, RunKey
from flyteplane.admin.store.tables import phase_cursor, run_labels, run_outbox, runs, task_specs

IS_RUN: Final = and_(runs.c.project == bindparam("p"), runs.c.domain == bindparam("d"), runs.c.name == bindparam("n"))
_ITS_ENTRY: Final = run_outbox.c.sequence == select(runs.c.sequence).where(IS_RUN).scalar_subquery()
_PROGRESS: Final[dict[str, Any]] = {
    column: bindparam(column) for column in ("phase", "started_at_us", "ended_at_us", "error")
}

INSERT_RUN: Final = insert(runs)
INSERT_OUTBOX: Final = insert(run_outbox)
INSERT_LABELS: Final = insert(run_labels)
FIND_RUN: Final = select(runs).where(IS_RUN)
#: The run that has the name, and the one that has the request id: none, one or two rows.
FIND_BY_NAME_OR_REQUEST: Final = select(runs).where(
    runs.c.project == bindparam("p"),
    runs.c.domain == bindparam("d"),
    or_(
        runs.c.name == bindparam("n"),
        and_(runs.c.request_id == bindparam("r"), runs.c.created_by == bindparam("c")),
    ),
)
FIND_PENDING: Final = (
    select(runs.c.project, runs.c.domain, runs.c.name).join_from(run_outbox, runs).order_by(runs.c.sequence)
)
FIND_SUBMISSION: Final = (
    select(runs.c.digest, runs.c.inputs_digest, runs.c.settings, run_outbox.c.inputs, task_specs.c.spec)
    .join_from(run_outbox, runs)
    .join(task_specs, task_specs.c.digest == runs.c.task_digest)
    .where(IS_RUN)
)
#: Leaves an entry that carries the mark of an abort.
SETTLE: Final = delete(run_outbox).where(_ITS_ENTRY, run_outbox.c.abort_reason.is_(None))
FIND_ABORT: Final = select(run_outbox.c.abort_reason).where(_ITS_ENTRY)
ASK_ABORT: Final = update(run_outbox).where(_ITS_ENTRY).values(abort_reason=bindparam("reason"))
LEAVE_OUTBOX: Final = delete(run_outbox).where(_ITS_ENTRY)
#: Only what is in the outbox: a run that the scheduler took is history.
TAKE_BACK: Final = delete(runs).where(IS_RUN, runs.c.sequence.in_(select(run_outbox.c.sequence).scalar_subquery()))
#: Given a list of parameters, which a list of phases (NOT IN) would not allow.
SET_PROGRESS: Final = (
    update(runs).where(IS_RUN, *(runs.c.phase != int(phase) for phase in sorted(TERMINAL_PHASES))).values(_PROGRESS)
)
#: With their labels and notifications.
FORGET_ENDED: Final = delete(runs).where(
    runs.c.sequence.in_(
        select(runs.c.sequence)
        .where(runs.c.ended_at_us < bindparam("before_us"), runs.c.phase.in_([int(phase) for phase in TERMINAL_PHASES]))
        .order_by(runs.c.ended_at_us)
        .limit(bindparam("most"))
        .scalar_subquery()
    )
)
FIND_CURSOR: Final = select(phase_cursor.c.cursor)
MOVE_CURSOR: Final = update(phase_cursor).values(cursor=bindparam("to"))
INSERT_CURSOR: Final = insert(phase_cursor)
CURSOR_ROW: Final = 1


def of(key: RunKey) -> dict[str, str]:
    """The parameters that name a run."""
    return {"p": key.project, "d": key.domain, "n": key.name}
