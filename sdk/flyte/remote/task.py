"""Deployed tasks: looked up by name and version, run like any other task."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from flyte.authoring.trace import trace
from flyte.client.channel import connection
from flyte.client.init import current_domain, current_project
from flyte.client.pages import pages
from flyte.errors import RemoteTaskNotFoundError, RuntimeUserError
from flyte.remote.action import moment
from flyte.remote.calling import on_a_loop, refuse_outside_of_platform
from flyte.remote.filters import Order, SortBy, seconds_of
from flyte.remote.message_view import MessageView
from flyte.syncify import syncify
from flyteapi.admin.v1 import task_service_pb2 as api

if TYPE_CHECKING:
    from flyte.client.channel import Connection
    from flyte.spec.cache import Cache
    from flyte.wire.deployed_task import DeployedTask
    from flyteapi.task.v1.interface_pb2 import Interface
    from flyteapi.task.v1.task_spec_pb2 import ResourceRequest, TaskSpec

AutoVersioning = Literal["latest", "current"]


class LazyEntity:
    """A deployed task by name; the platform is asked when it is fetched or run."""

    def __init__(self, *, name: str, project: str | None, domain: str | None, version: str) -> None:
        self.name = name
        self._project = project
        self._domain = domain
        self.version = version

    def __repr__(self) -> str:
        return f"Future for task with name {self.name}"

    @property
    def project(self) -> str:
        """The project: the given one, or the current one when it is asked for."""
        return self._project or current_project()

    @property
    def domain(self) -> str:
        """The domain: the given one, or the current one when it is asked for."""
        return self._domain or current_domain()

    @syncify.method
    async def fetch(self) -> TaskDetails:
        """Ask the platform for the task. Raises RemoteTaskNotFoundError if there is none of this name and version."""
        return TaskDetails(await _fetch.aio(self.project, self.domain, self.name, self.version))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the task as a child of the running one: to be awaited on an event loop, blocking anywhere else.

        The version is the same in every attempt of the caller. Raises RemoteTaskUsageError outside of a task of a
        platform.
        """
        refuse_outside_of_platform(self.name)
        if on_a_loop():
            return self.aio(*args, **kwargs)
        found = api.DeployedTask.FromString(_resolve_sync(self.project, self.domain, self.name, self.version))
        return TaskDetails(found)(*args, **kwargs)

    async def aio(self, *args: Any, **kwargs: Any) -> Any:
        """Do the same without blocking the event loop."""
        refuse_outside_of_platform(self.name)
        found = api.DeployedTask.FromString(await _resolve(self.project, self.domain, self.name, self.version))
        return await TaskDetails(found).aio(*args, **kwargs)

    @syncify.method
    async def override(self, /, **settings: Any) -> TaskDetails:
        """Return the task with other settings for calls, see `TaskDetails.override`; asks the platform for it."""
        return (await self.fetch.aio()).override(**settings)


@trace
async def _resolve(project: str, domain: str, name: str, version: str) -> bytes:
    """The version that is called; recorded, so that an attempt that comes later calls the same one."""
    return (await _fetch.aio(project, domain, name, version)).SerializeToString()


@trace
def _resolve_sync(project: str, domain: str, name: str, version: str) -> bytes:
    found: api.DeployedTask = _fetch(project, domain, name, version)
    return found.SerializeToString()


@syncify
async def _fetch(project: str, domain: str, name: str, version: str) -> api.DeployedTask:
    platform = connection()
    request = api.GetTaskRequest(project=project, domain=domain, name=name, version=version)
    try:
        return (await platform.call(platform.tasks.GetTask, request)).task
    except RuntimeUserError as error:
        if error.code == "NotFound":
            raise RemoteTaskNotFoundError(str(error)) from None
        raise


class _TaskVersion(MessageView):
    """What every view of a deployed task can tell."""

    def __init__(self, message: api.DeployedTask) -> None:
        self.message = message

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, version={self.version!r})"

    @property
    def name(self) -> str:
        """The full name."""
        return self.message.name

    @property
    def version(self) -> str:
        """The version."""
        return self.message.version


class Task(_TaskVersion):
    """A version of a deployed task, in a list."""

    @property
    def url(self) -> str:
        """A reference for people."""
        return f"flyte://{self.message.project}/{self.message.domain}/tasks/{self.name}/{self.version}"

    @property
    def entrypoint(self) -> str:
        """Where its function is, as "module:attribute"."""
        return f"{self.message.spec.entrypoint.module}:{self.message.spec.entrypoint.attribute}"

    @property
    def deployed_at(self) -> datetime:
        """When it was deployed, in UTC."""
        return moment(self.message.deployed_at)

    @classmethod
    def get(
        cls,
        name: str,
        project: str | None = None,
        domain: str | None = None,
        version: str | None = None,
        auto_version: AutoVersioning | None = None,
    ) -> LazyEntity:
        """Name a deployed task. Nothing is asked yet.

        `auto_version` is "latest" for the newest version, or, inside of a task, "current" for the version of its run,
        which is that of the deployed task that was started. Raises ValueError without `version` and `auto_version`, and
        for "current" where no task runs.
        """
        if version is None and auto_version is None:
            raise ValueError("Either version or auto_version must be provided.")
        if auto_version not in (None, "latest", "current"):
            raise ValueError("auto_version must be either 'latest' or 'current'.")
        if version is None and auto_version == "current":
            version = _current_version()
        return LazyEntity(name=name, project=project, domain=domain, version=version or "")

    @syncify.iterator_class_method
    @classmethod
    async def listall(
        cls,
        by_task_name: str | None = None,
        by_task_env: str | None = None,
        project: str | None = None,
        domain: str | None = None,
        sort_by: SortBy | None = None,
        limit: int = 100,
        entrypoint: bool | None = None,
    ) -> AsyncIterator[Task]:
        """Yield the newest version of each task, or all versions of one, at most `limit`.

        `entrypoint` leaves those that are, or are not, meant to be started by people.
        They come by name, and the versions of one the newest first, or in another order; ValueError is raised for one
        that there is not.
        """
        order = Order(sort_by, ("created_at", "desc") if by_task_name else ("name", "asc"), _ORDERS)
        order.check(of="Task.listall")
        request = api.ListTasksRequest(
            project=project or current_project(), domain=domain or current_domain(), name=by_task_name or ""
        )
        listed = _listed(
            connection(), request, limit=order.needed(limit), environment=by_task_env, entrypoint=entrypoint
        )
        async for message in order.of(listed, limit=limit):
            yield cls(message)


_ORDERS: Final[Mapping[str, Callable[[api.DeployedTask], Any]]] = {
    "name": lambda task: task.name,
    "version": lambda task: task.version,
    "created_at": seconds_of("deployed_at"),
}


async def _listed(
    platform: Connection, request: api.ListTasksRequest, *, limit: int, environment: str | None, entrypoint: bool | None
) -> AsyncIterator[api.DeployedTask]:
    left = limit
    async for page in pages(platform, platform.tasks.ListTasks, request, limit=limit):
        for message in page.tasks:
            spec = message.spec
            if left > 0 and environment in (None, spec.environment) and entrypoint in (None, spec.is_entrypoint):
                left -= 1
                yield message
        if left <= 0:
            return


def _current_version() -> str:
    from flyte.authoring.context import ctx

    task = ctx()
    if not task or not task.version:
        raise ValueError("auto_version='current' is the version of the running task, and none runs: give a version.")
    return task.version


class TaskDetails(_TaskVersion):
    """A version of a deployed task with its whole configuration."""

    def __init__(self, message: api.DeployedTask, callee: DeployedTask | None = None) -> None:
        super().__init__(message)
        self._callee = callee

    @property
    def callee(self) -> DeployedTask:
        """The task as something that can be called."""
        from flyte.wire.deployed_task import DeployedTask

        if self._callee is None:
            self._callee = DeployedTask(self.message.spec)
        return self._callee

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the task as a child of the running one: to be awaited on an event loop, blocking anywhere else.

        Raises RemoteTaskUsageError outside of a task of a platform.
        """
        context = refuse_outside_of_platform(self.name)
        if on_a_loop():
            return context.submit(self.callee, args, kwargs)
        return context.submit_sync(self.callee, args, kwargs)

    async def aio(self, *args: Any, **kwargs: Any) -> Any:
        """Do the same without blocking the event loop."""
        return await refuse_outside_of_platform(self.name).submit(self.callee, args, kwargs)

    @property
    def task_type(self) -> str:
        """The kind of task: every task of this platform is Python code that a worker runs."""
        return "python"

    def override(self, **settings: Any) -> TaskDetails:
        """Return the task with other settings for calls and runs; the deployed version stays as it is.

        Takes short_name, resources, retries, timeout, env_vars, secrets, service_account, max_inline_io_bytes, cache,
        queue and interruptible, as `override` of a task does. Raises InvalidSetting, a ValueError.
        """
        changed: Any = self.callee.override(**settings)
        message = api.DeployedTask()
        message.CopyFrom(self.message)
        message.spec.CopyFrom(changed.to_proto())
        return TaskDetails(message, changed)

    @property
    def overridden(self) -> bool:
        """Whether it differs from what is deployed."""
        return self.callee.to_proto() is not self.callee.deployed

    @property
    def spec(self) -> TaskSpec:
        """The configuration, resolved."""
        return self.message.spec

    @property
    def required_args(self) -> tuple[str, ...]:
        """Inputs that an invocation must give."""
        return tuple(parameter.name for parameter in self.spec.interface.inputs if parameter.required)

    @property
    def default_input_args(self) -> tuple[str, ...]:
        """Inputs that have a default."""
        return tuple(parameter.name for parameter in self.spec.interface.inputs if not parameter.required)

    @property
    def queue(self) -> str:
        """The queue that the task names, empty if none."""
        return self.spec.queue

    @property
    def interface(self) -> Interface:
        """The inputs and outputs, as the platform keeps them."""
        return self.spec.interface

    @property
    def resources(self) -> ResourceRequest:
        """What an attempt needs; empty fields leave it to the platform."""
        return self.spec.resources

    @property
    def cache(self) -> Cache:
        """How results are cached, with the version that they are kept under."""
        from flyte.spec.cache import Cache

        policy = self.spec.cache
        if not policy.enabled:
            return Cache("disable")
        return Cache(
            "auto",
            version_override=policy.version,
            serialize=policy.serialize,
            ignored_inputs=tuple(policy.ignored_inputs),
            max_age=policy.max_age.ToTimedelta() if policy.HasField("max_age") else None,
        )

    @property
    def secrets(self) -> list[str]:
        """The keys of the secrets that the task is given."""
        return [secret.key for secret in self.spec.secrets]

    @property
    def max_inline_io_bytes(self) -> int:
        """The most that all inputs, or all outputs, may weigh inline."""
        return self.spec.max_inline_io_bytes

    @classmethod
    def get(
        cls,
        name: str,
        project: str | None = None,
        domain: str | None = None,
        version: str | None = None,
        auto_version: AutoVersioning | None = None,
    ) -> LazyEntity:
        """Name a deployed task, see `Task.get`."""
        return Task.get(name, project, domain, version, auto_version)

    @classmethod
    def fetch(
        cls,
        name: str,
        project: str | None = None,
        domain: str | None = None,
        version: str | None = None,
        auto_version: AutoVersioning | None = None,
    ) -> TaskDetails:
        """Ask the platform for a deployed task."""
        return Task.get(name, project, domain, version, auto_version).fetch()
