"""Deployed task versions in the database."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, select

from flyteplane.admin.domain.task_version import DeployedTask, TaskToDeploy, version_taken
from flyteplane.admin.store.projects import refusal_of_place
from flyteplane.admin.store.tables import task_specs, task_versions
from flyteplane.admin.store.task_specs import ensure_spec, find_spec
from flyteplane.foundation.errors import PlatformError
from flyteplane.records import Database


class SqlTaskStore:
    """See `ports.TaskStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def deploy(
        self, tasks: Sequence[TaskToDeploy], *, project: str, domain: str, version: str, deployed_by: str, now_us: int
    ) -> Sequence[DeployedTask]:
        def work(connection: Connection) -> Sequence[DeployedTask] | PlatformError:
            refusal = refusal_of_place(connection, project, domain=domain, field="")
            if refusal is not None:
                return refusal
            return _deploy(
                connection,
                tasks,
                place={"project": project, "domain": domain, "version": version},
                author={"deployed_by": deployed_by, "deployed_at_us": now_us},
            )

        outcome = await self._database.write(work)
        if isinstance(outcome, PlatformError):
            raise outcome
        return outcome

    async def get(self, *, project: str, domain: str, name: str, version: str) -> DeployedTask | None:
        query = _of_place(project, domain).where(task_versions.c.name == name)
        if version:
            query = query.where(task_versions.c.version == version)
        query = query.order_by(task_versions.c.sequence.desc()).limit(1)
        found = await self._all(query)
        return found[0] if found else None

    async def newest(self, *, project: str, domain: str, after: str, limit: int) -> Sequence[DeployedTask]:
        newest = (
            select(func.max(task_versions.c.sequence))
            .where(and_(task_versions.c.project == project, task_versions.c.domain == domain))
            .where(task_versions.c.name > after)
            .group_by(task_versions.c.name)
            .order_by(task_versions.c.name)
            .limit(limit)
        )
        query = _with_spec().where(task_versions.c.sequence.in_(newest)).order_by(task_versions.c.name)
        return await self._all(query)

    async def versions(
        self, *, project: str, domain: str, name: str, before: int | None, limit: int
    ) -> Sequence[DeployedTask]:
        query = _of_place(project, domain).where(task_versions.c.name == name)
        if before is not None:
            query = query.where(task_versions.c.sequence < before)
        return await self._all(query.order_by(task_versions.c.sequence.desc()).limit(limit))

    async def spec(self, digest: bytes) -> bytes | None:
        return await self._database.read(lambda connection: find_spec(connection, digest))

    async def _all(self, query: Select[Any]) -> list[DeployedTask]:
        return await self._database.read(lambda connection: [_task(row) for row in connection.execute(query)])


def _deploy(
    connection: Connection, tasks: Sequence[TaskToDeploy], *, place: dict[str, str], author: dict[str, Any]
) -> Sequence[DeployedTask] | PlatformError:
    # Everything is looked at before anything is written: a refusal leaves no trace in the transaction.
    known = {
        row.name: row.digest
        for row in connection.execute(select(task_versions.c.name, task_versions.c.digest).filter_by(**place))
    }
    for task in tasks:
        if known.get(task.name, task.digest) != task.digest:
            return version_taken(task.name, version=place["version"])
    for task in tasks:
        if task.name not in known:
            ensure_spec(connection, task.digest, task.spec)
            connection.execute(insert(task_versions).values(name=task.name, digest=task.digest, **place, **author))
    stored = {row.name: _task(row) for row in connection.execute(_with_spec().filter_by(**place))}
    return [stored[task.name] for task in tasks]


def _with_spec() -> Select[Any]:
    return select(task_versions, task_specs.c.spec).join_from(task_versions, task_specs)


def _of_place(project: str, domain: str) -> Select[Any]:
    return _with_spec().where(and_(task_versions.c.project == project, task_versions.c.domain == domain))


def _task(row: Row[Any]) -> DeployedTask:
    return DeployedTask(
        project=row.project,
        domain=row.domain,
        name=row.name,
        version=row.version,
        digest=row.digest,
        spec=row.spec,
        deployed_at_us=row.deployed_at_us,
        deployed_by=row.deployed_by,
        sequence=row.sequence,
    )
