"""Runs as rows, and rows as runs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import FromClause, Row, Select, exists, func, select, tuple_
from sqlalchemy.sql import ColumnElement

from flyteplane.admin.domain.run import NewRun, RunFilter, RunKey, RunPhase, RunProgress, RunRecord
from flyteplane.admin.store.tables import run_labels, runs


def row_of(run: NewRun) -> dict[str, Any]:
    """The row of a new run; it begins as QUEUED."""
    draft = run.draft
    source = draft.source
    return {
        "project": run.key.project,
        "domain": run.key.domain,
        "name": run.key.name,
        "created_by": draft.created_by,
        "request_id": draft.request_id or None,
        "digest": run.digest,
        "task_name": draft.task.name,
        "task_digest": draft.task.digest,
        "inputs_digest": draft.inputs_digest,
        "settings": run.settings,
        "created_at_us": run.created_at_us,
        "source_project": source.project if source else None,
        "source_domain": source.domain if source else None,
        "source_name": source.name if source else None,
        "trigger": draft.trigger,
        "queue": draft.queue,
        "task_version": draft.task_version,
        "phase": int(RunPhase.QUEUED),
        "started_at_us": None,
        "ended_at_us": None,
        "error": b"",
    }


def progress_row(progress: RunProgress) -> dict[str, Any]:
    """The columns of a run's progress."""
    return {
        "phase": int(progress.phase),
        "started_at_us": progress.started_at_us,
        "ended_at_us": progress.ended_at_us,
        "error": progress.error,
    }


def record_of(row: Row[Any]) -> RunRecord:
    """The run in a row of `runs`."""
    source = None if row.source_name is None else RunKey(row.source_project, row.source_domain, row.source_name)
    return RunRecord(
        key=RunKey(row.project, row.domain, row.name),
        sequence=row.sequence,
        request_id=row.request_id or "",
        digest=row.digest,
        task_name=row.task_name,
        task_digest=row.task_digest,
        inputs_digest=row.inputs_digest,
        settings=row.settings,
        created_by=row.created_by,
        created_at_us=row.created_at_us,
        source=source,
        trigger=row.trigger,
        task_version=row.task_version,
        progress=RunProgress(
            phase=RunPhase(row.phase),
            started_at_us=row.started_at_us,
            ended_at_us=row.ended_at_us,
            error=row.error,
        ),
    )


def record_of_new(run: NewRun, *, sequence: int) -> RunRecord:
    """What `record_of` would read back of a run that was just inserted."""
    draft = run.draft
    return RunRecord(
        key=run.key,
        sequence=sequence,
        request_id=draft.request_id,
        digest=run.digest,
        task_name=draft.task.name,
        task_digest=draft.task.digest,
        inputs_digest=draft.inputs_digest,
        settings=run.settings,
        created_by=draft.created_by,
        created_at_us=run.created_at_us,
        source=draft.source,
        trigger=draft.trigger,
        task_version=draft.task_version,
        progress=RunProgress(phase=RunPhase.QUEUED),
    )


def page_queries(where: RunFilter, *, before: int | None, limit: int) -> Sequence[Select[Any]]:
    """Queries that find, all together, the newest runs that fit, with a sequence below `before`.

    One for each phase that is asked for: an index has the runs of one phase in the order of the list, and those of
    several would have to be read and sorted, however many there are.
    """
    parts = [replace(where, phases=frozenset((phase,))) for phase in sorted(where.phases)] or [where]
    return [_page_query(part, before=before, limit=limit) for part in parts]


def _page_query(where: RunFilter, *, before: int | None, limit: int) -> Select[Any]:
    labels = [*sorted(where.labels.items()), *((key, None) for key in sorted(where.label_keys - where.labels.keys()))]
    query, sequence = select(runs), runs.c.sequence
    if labels:
        # Through the index of the first label, which has them in the order of the list.
        query, sequence = query.join(run_labels, run_labels.c.sequence == runs.c.sequence), run_labels.c.sequence
        query = query.where(*_is_label(run_labels, *labels[0]))
    query = query.where(*_conditions(where), *(_has_label(key, value) for key, value in labels[1:]))
    if before is not None:
        query = query.where(sequence < before)
    return query.order_by(sequence.desc()).limit(limit)


def is_one_of(keys: Sequence[RunKey]) -> ColumnElement[bool]:
    """That a run is one of these."""
    named = [(key.project, key.domain, key.name) for key in keys]
    return tuple_(runs.c.project, runs.c.domain, runs.c.name).in_(named)


def _conditions(where: RunFilter) -> list[ColumnElement[bool]]:
    columns = (
        (runs.c.project, where.project),
        (runs.c.domain, where.domain),
        (runs.c.task_name, where.task_name),
        (runs.c.created_by, where.created_by),
        (runs.c.queue, where.queue),
        (runs.c.task_version, where.task_version),
    )
    conditions: list[ColumnElement[bool]] = [column == wanted for column, wanted in columns if wanted]
    if where.source is not None:
        source = where.source
        conditions.append(runs.c.source_name == source.name)
        conditions += [runs.c.source_project == source.project, runs.c.source_domain == source.domain]
    if where.phases:
        conditions.append(runs.c.phase.in_(sorted(int(phase) for phase in where.phases)))
    if where.created_after_us is not None:
        conditions += _submitted(runs.c.created_at_us > where.created_after_us, first=True)
    if where.created_before_us is not None:
        conditions += _submitted(runs.c.created_at_us < where.created_before_us, first=False)
    updated_at_us = func.coalesce(runs.c.ended_at_us, runs.c.started_at_us, runs.c.created_at_us)
    if where.updated_after_us is not None:
        conditions.append(updated_at_us > where.updated_after_us)
    if where.updated_before_us is not None:
        conditions.append(updated_at_us < where.updated_before_us)
        # Nothing changes before it is there: the newer runs need not be looked at.
        conditions += _submitted(runs.c.created_at_us < where.updated_before_us, first=False)
    return conditions


def _submitted(when: ColumnElement[bool], *, first: bool) -> list[ColumnElement[bool]]:
    """A condition on the time, and the sequence to which it comes down: a list goes by sequences and skips to it.

    The first one is looked for among the runs of that time, by their index: the sum keeps planners from walking up all
    sequences until one fits. The last one is the other way about.
    """
    end = func.min(runs.c.sequence + 0) if first else func.max(runs.c.sequence)
    found = select(end).where(when).scalar_subquery()
    return [when, runs.c.sequence >= found if first else runs.c.sequence <= found]


def _has_label(key: str, value: str | None) -> ColumnElement[bool]:
    other = run_labels.alias()
    return exists().where(other.c.sequence == runs.c.sequence, *_is_label(other, key, value))


def _is_label(labels: FromClause, key: str, value: str | None) -> list[ColumnElement[bool]]:
    """That a row is a label with this key, and with this value unless that is None."""
    return [labels.c.key == key, *([] if value is None else [labels.c.value == value])]
