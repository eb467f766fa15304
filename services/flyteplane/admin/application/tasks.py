"""Deploying task versions and finding them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flyte.spec.names import NameKind, check_name
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteplane.admin.application.admission import Admission, TaskVersionName, unknown_task
from flyteplane.admin.application.ports import TaskStore
from flyteplane.admin.application.setting_rules import check_place, spec_rules
from flyteplane.admin.domain.object_name import bundle_key
from flyteplane.admin.domain.page_token import PageTokens
from flyteplane.admin.domain.task_version import DeployedTask, TaskToDeploy
from flyteplane.foundation.clock import Clock
from flyteplane.foundation.digest import is_digest
from flyteplane.foundation.errors import InvalidArgument, NotFound
from flyteplane.objects import ObjectStore
from flyteplane.rpc.list_pages import page_size
from flyteplane.rpc.message_size import fitting

#: A deployment is one transaction; this many specs are still a short one.
MOST_TASKS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """A page of versions and the token of the next one; the token is empty on the last page."""

    tasks: Sequence[DeployedTask]
    next_token: str


class Tasks:
    """The use cases of deployed tasks. One instance serves all calls."""

    def __init__(
        self, *, store: TaskStore, objects: ObjectStore, admission: Admission, tokens: PageTokens, clock: Clock
    ) -> None:
        self._store = store
        self._objects = objects
        self._admission = admission
        self._tokens = tokens
        self._clock = clock

    async def deploy(
        self, specs: Sequence[TaskSpec], *, project: str, domain: str, version: str, deployed_by: str
    ) -> Sequence[DeployedTask]:
        """Deploy versions, all or none. Raises InvalidArgument, AlreadyExists, NotFound, FailedPrecondition."""
        check_place(project, domain=domain)
        with spec_rules():
            check_name(version, kind=NameKind.VERSION, field="version")
        tasks = self._checked(specs)
        await self._refuse_missing_bundles(tasks)
        return await self._store.deploy(
            tasks,
            project=project,
            domain=domain,
            version=version,
            deployed_by=deployed_by,
            now_us=int(self._clock.now() * 1e6),
        )

    async def get(self, task: TaskVersionName) -> DeployedTask:
        """A version, or the newest one. Raises NotFound."""
        found = await self._store.get(project=task.project, domain=task.domain, name=task.name, version=task.version)
        if found is None:
            raise unknown_task(task)
        return found

    async def list(self, *, project: str, domain: str, name: str, size: int, token: str) -> TaskPage:
        """The newest version of each task, or all versions of one. Raises InvalidArgument (PAGE_SIZE, PAGE_TOKEN)."""
        limit = page_size(size)
        query = repr(("tasks", project, domain, name))
        position = self._tokens.read(token, query=query)
        if name:
            before = int(position) if position else None
            found = await self._store.versions(
                project=project, domain=domain, name=name, before=before, limit=limit + 1
            )
        else:
            found = await self._store.newest(project=project, domain=domain, after=position, limit=limit + 1)
        page = fitting(found[:limit], size=lambda task: len(task.spec))
        more = (str(page[-1].sequence) if name else page[-1].name) if len(found) > len(page) else ""
        return TaskPage(tasks=page, next_token=self._tokens.make(more, query=query))

    def _checked(self, specs: Sequence[TaskSpec]) -> Sequence[TaskToDeploy]:
        if not 0 < len(specs) <= MOST_TASKS:
            raise InvalidArgument(
                f"a deployment of {len(specs)} tasks",
                reason="INVALID_SETTING",
                field="tasks",
                limit=f"1 to {MOST_TASKS} tasks",
                mend="Deploy fewer tasks at once.",
            )
        tasks: dict[str, TaskToDeploy] = {}
        for spec in specs:
            choice = self._admission.sound_task(spec)
            if choice.name in tasks:
                raise InvalidArgument(
                    f"the task {choice.name!r} is there twice",
                    reason="INVALID_SETTING",
                    field="tasks",
                    mend="Give each task once.",
                )
            tasks[choice.name] = TaskToDeploy(
                name=choice.name, digest=choice.digest, spec=choice.spec, bundle_digest=spec.entrypoint.bundle_digest
            )
        return list(tasks.values())

    async def _refuse_missing_bundles(self, tasks: Sequence[TaskToDeploy]) -> None:
        for digest in sorted({task.bundle_digest for task in tasks if task.bundle_digest}):
            if not is_digest(digest) or await self._objects.head(bundle_key(digest)) is None:
                raise NotFound(
                    f"there is no code bundle {digest!r}",
                    reason="BUNDLE_NOT_FOUND",
                    field="tasks.entrypoint.bundle_digest",
                    mend="Upload the bundle first (DataService).",
                )
