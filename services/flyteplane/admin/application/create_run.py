"""Submitting a run.

The run and its outbox entry are committed in one transaction; then the scheduler is asked to take the run. A caller
is told OK after the first and normally also after the second, so that a full queue or an unknown one reaches whoever
submitted. When the scheduler is away the commit alone is enough: the outbox brings the run there.
"""

import asyncio
from typing import TypeAlias

from flyte.spec.names import VERSION_ANNOTATION
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.admin.application.outbox import Delivery, Outbox
from flyteplane.admin.application.ports import RunStore, StoredRun
from flyteplane.admin.application.run_traces import RunTraces
from flyteplane.admin.domain.run import NewRun, RunDraft, RunKey
from flyteplane.admin.domain.run_identity import draft_digest, generated_run_name
from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import OUTCOME_UNKNOWN, Unavailable
from flyteplane.foundation.ids import IdSource

#: A run, and its delivery if that is under way.
_Stored: TypeAlias = tuple[StoredRun, Delivery | None]


class CreateRun:
    """The use case. One instance serves all calls."""

    def __init__(
        self, *, runs: RunStore, outbox: Outbox, clock: Clock, ids: IdSource, traces: RunTraces | None = None
    ) -> None:
        self._runs = runs
        self._outbox = outbox
        self._clock = clock
        self._ids = ids
        self._traces = traces or RunTraces(ids=ids)
        self._storing: set[asyncio.Task[_Stored]] = set()

    async def __call__(self, draft: RunDraft) -> StoredRun:
        """Store and hand over the run that was asked for, or find it.

        Raises:
            AlreadyExists: name or request id belong to another run.
            NotFound, FailedPrecondition: project or domain.
            PlatformError: the scheduler's refusal; the run does not exist then.
        """
        while True:
            # A caller that goes away must not leave a stored run that nobody delivers, so storing and handing over
            # is one piece that goes on without it.
            storing = asyncio.create_task(self._store(self._new_run(draft)), name="admin.create_run")
            self._storing.add(storing)
            storing.add_done_callback(self._stored)
            stored, delivery = await asyncio.shield(storing)
            if delivery is not None:
                await self._outbox.answer(delivery)
                return stored
            # A run that was found may have been taken back since, upon the refusal of whoever asked first.
            if await self._runs.get(stored.record.key) is not None:
                return stored

    def _new_run(self, draft: RunDraft) -> NewRun:
        name = draft.name or self._generated_name(draft)
        return NewRun(
            key=RunKey(draft.project, draft.domain, name),
            draft=draft,
            digest=draft_digest(draft),
            created_at_us=int(self._clock.now() * 1e6),
            added=self._traces.of(draft, run=name) + _version(draft),
        )

    def _generated_name(self, draft: RunDraft) -> str:
        if not draft.request_id:
            return self._ids.run_name()
        return generated_run_name(
            project=draft.project, domain=draft.domain, created_by=draft.created_by, request_id=draft.request_id
        )

    async def _store(self, run: NewRun) -> _Stored:
        try:
            stored = await self._runs.add(run)
        except Unavailable as error:
            if error.reason == OUTCOME_UNKNOWN:
                # It may be stored, and the caller may never ask again.
                self._outbox.take_up(run.key)
            raise
        if stored.created:
            return stored, self._outbox.hand_over(run.submission)
        return stored, self._outbox.under_way(stored.record.key)

    def _stored(self, task: asyncio.Task[_Stored]) -> None:
        self._storing.discard(task)
        if not task.cancelled():
            # Marks the error as seen: the caller that would have heard of it may be gone.
            task.exception()


def _version(draft: RunDraft) -> bytes:
    """The version of a run's task as an annotation, by which workers know it; the newest is chosen at admission."""
    if not draft.task_version:
        return b""
    return RunSettings(annotations={VERSION_ANNOTATION: draft.task_version}).SerializeToString()
