"""Reading runs.

Lists are answered from the mirror of phases, which follows the scheduler by some milliseconds. A single run that has
not ended is asked of the scheduler itself, so that whoever saw a run end in a watch never reads an older phase
afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.admin.application.notification_ports import NotificationStore
from flyteplane.admin.application.outbox import Outbox
from flyteplane.admin.application.ports import RunStore, Scheduler, TaskStore
from flyteplane.admin.domain.notification import NotificationRecord
from flyteplane.admin.domain.page_token import PageTokens
from flyteplane.admin.domain.run import RunFilter, RunKey, RunRecord
from flyteplane.foundation.absent import absent_run
from flyteplane.foundation.errors import DataLoss, DeadlineExceeded, NotFound, Unavailable
from flyteplane.rpc.list_pages import page_size
from flyteplane.rpc.message_size import fitting

_SHORT_FIELDS_BYTES: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A page of runs and the token of the next one; the token is empty on the last page."""

    runs: Sequence[RunRecord]
    next_token: str


class ReadRuns:
    """The use cases of reading. One instance serves all calls."""

    def __init__(
        self,
        *,
        runs: RunStore,
        tasks: TaskStore,
        notifications: NotificationStore,
        scheduler: Scheduler,
        outbox: Outbox,
        tokens: PageTokens,
    ) -> None:
        self._notifications = notifications
        self._runs = runs
        self._tasks = tasks
        self._scheduler = scheduler
        self._outbox = outbox
        self._tokens = tokens

    async def get(self, run: RunKey) -> RunRecord:
        """A run with its present phase, or the last known one while the scheduler is away. Raises NotFound."""
        record = await self.stored(run)
        if record.progress.phase.is_terminal or self._outbox.under_way(run) is not None:
            return record
        try:
            return replace(record, progress=await self._scheduler.progress(run))
        except (NotFound, Unavailable, DeadlineExceeded):
            return record

    async def stored(self, run: RunKey) -> RunRecord:
        """A run as admin knows it. Raises NotFound."""
        record = await self._runs.get(run)
        if record is None:
            raise unknown_run(run)
        return record

    async def notifications(self, record: RunRecord) -> Sequence[NotificationRecord]:
        """How far the notifications of a run are."""
        settings = RunSettings.FromString(record.settings)
        if not settings.notifications and not settings.notification_rule:
            return ()
        return await self._notifications.of_run(record.key)

    async def task_spec(self, record: RunRecord) -> bytes:
        """The serialised `TaskSpec` of a run."""
        spec = await self._tasks.spec(record.task_digest)
        if spec is None:
            raise DataLoss(f"the task version of the run {record.key} is gone", reason="TASK_SPEC_LOST")
        return spec

    async def list(self, where: RunFilter, *, size: int, token: str) -> RunPage:
        """A page of runs, newest first.

        Raises InvalidArgument (PAGE_SIZE, PAGE_TOKEN), and Unavailable where the scheduler has to be asked.
        """
        limit = page_size(size)
        query = _query(where)
        position = self._tokens.read(token, query=query)
        before, among = int(position) if position else None, None
        if where.paused_only:
            among = await self._scheduler.paused(project=where.project, domain=where.domain)
        found = await self._runs.list(where, before=before, limit=limit + 1, among=among)
        page = fitting(found[:limit], size=_size)
        more = str(page[-1].sequence) if len(found) > len(page) else ""
        return RunPage(runs=page, next_token=self._tokens.make(more, query=query))

    async def taken(self, run: RunKey) -> RunRecord:
        """A run that the scheduler has, or never will: waits for the outbox if need be. Raises NotFound."""
        record = await self.stored(run)
        delivery = self._outbox.under_way(run)
        if delivery is None:
            return record
        await delivery.over.wait()
        return await self.stored(run)


def _size(record: RunRecord) -> int:
    """About the bytes of a run in an answer; everything else of it is short."""
    return len(record.settings) + len(record.progress.error) + _SHORT_FIELDS_BYTES


def unknown_run(run: RunKey) -> NotFound:
    """The refusal of a run that nobody submitted."""
    return absent_run(str(run))


def _query(where: RunFilter) -> str:
    """A filter as text, the same for the same filter."""
    return repr(
        (
            "runs",
            where.project,
            where.domain,
            where.task_name,
            sorted(where.phases),
            where.created_by,
            where.queue,
            str(where.source or ""),
            sorted(where.labels.items()),
            where.created_after_us,
            where.created_before_us,
            where.updated_after_us,
            where.updated_before_us,
            where.task_version,
            sorted(where.label_keys),
            where.paused_only,
        )
    )
