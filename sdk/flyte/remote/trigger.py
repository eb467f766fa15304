"""Triggers on the platform: the schedules of deployed tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flyte.client.call_ids import new_request_id
from flyte.client.channel import connection
from flyte.client.init import current_domain, current_project
from flyte.client.pages import pages
from flyte.remote.action import optional_moment
from flyte.remote.message_view import MessageView
from flyte.remote.trigger_values import trigger_to_proto
from flyte.spec.trigger_rules import check_trigger
from flyte.syncify import syncify
from flyteapi.admin.v1 import trigger_service_pb2 as api

if TYPE_CHECKING:
    from flyte.spec.triggers import Trigger as TriggerSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerMetadata:
    """What a trigger was made with: for people, and the version that it starts (empty: the newest)."""

    description: str
    task_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerStatus:
    """Firings of a trigger: the last and the next one in UTC, and why the last one started no run (empty: it did)."""

    triggered_at: datetime | None
    next_fire_at: datetime | None
    last_error: str


class TriggerDetails(MessageView):
    """A trigger with everything that the platform knows of it."""

    def __init__(self, message: api.Trigger) -> None:
        self.message = message

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, task={self.task_name!r}, active={self.is_active})"

    @property
    def id(self) -> api.TriggerId:
        """The identity: project, domain, task and name."""
        return self.message.id

    @property
    def name(self) -> str:
        """The name, unique for its task."""
        return self.message.id.name

    @property
    def task_name(self) -> str:
        """The full name of the task that it starts."""
        return self.message.id.task_name

    @property
    def is_active(self) -> bool:
        """Whether it fires."""
        return self.message.active

    @property
    def url(self) -> str:
        """A reference for people."""
        named = self.message.id
        return f"flyte://{named.project}/{named.domain}/tasks/{named.task_name}/triggers/{named.name}"

    @property
    def automation_spec(self) -> api.Cron | api.FixedRate | None:
        """When it fires; None for a trigger that is only fired by hand."""
        chosen = self.message.WhichOneof("schedule")
        return None if chosen is None else getattr(self.message, chosen)

    @property
    def metadata(self) -> TriggerMetadata:
        """What it was made with beside its schedule."""
        return TriggerMetadata(description=self.message.description, task_version=self.message.task_version)

    @property
    def status(self) -> TriggerStatus:
        """When it fired and will fire."""
        return TriggerStatus(
            triggered_at=self.last_fired_at, next_fire_at=self.next_fire_at, last_error=self.message.last_error
        )

    @property
    def next_fire_at(self) -> datetime | None:
        """When it fires next, in UTC."""
        return optional_moment(self.message, "next_fire_at")

    @property
    def last_fired_at(self) -> datetime | None:
        """The planned time of the last run that it started, in UTC."""
        return optional_moment(self.message, "last_fired_at")

    @syncify.class_method
    @classmethod
    async def get(cls, *, name: str, task_name: str) -> TriggerDetails:
        """Return a trigger of a task. Raises RuntimeUserError with code NotFound if there is none."""
        platform = connection()
        request = api.GetTriggerRequest(id=_identity(name, task_name))
        return TriggerDetails((await platform.call(platform.triggers.GetTrigger, request)).trigger)


class Trigger(TriggerDetails):
    """A trigger, in a list, and what can be done to it."""

    async def get_details(self) -> TriggerDetails:
        """Ask the platform for the trigger as it is now."""
        return await TriggerDetails.get.aio(name=self.name, task_name=self.task_name)

    @syncify.class_method
    @classmethod
    async def create(cls, trigger: TriggerSpec, task_name: str, task_version: str | None = None) -> Trigger:
        """Give a deployed task a trigger, in place of one of the same name; without a version for the newest.

        Raises InvalidSetting, a ValueError, for a schedule that can never be kept.
        """
        return await put_trigger(trigger, task_name=task_name, task_version=task_version)

    @syncify.class_method
    @classmethod
    async def update(cls, name: str, task_name: str, active: bool) -> Trigger:
        """Switch a trigger on or off."""
        platform = connection()
        request = api.SetTriggerActiveRequest(id=_identity(name, task_name), active=active, request_id=new_request_id())
        return Trigger((await platform.change(platform.triggers.SetTriggerActive, request)).trigger)

    @syncify.class_method
    @classmethod
    async def delete(cls, name: str, task_name: str, project: str | None = None, domain: str | None = None) -> None:
        """Remove a trigger. Runs that it started go on."""
        platform = connection()
        identity = _identity(name, task_name, project=project, domain=domain)
        request = api.DeleteTriggerRequest(id=identity, request_id=new_request_id())
        await platform.change(platform.triggers.DeleteTrigger, request)

    @syncify.iterator_class_method
    @classmethod
    async def listall(
        cls, task_name: str | None = None, task_version: str | None = None, limit: int = 100
    ) -> AsyncIterator[Trigger]:
        """Yield triggers by name, at most `limit`: those of a task, or all of the project and domain."""
        platform = connection()
        request = api.ListTriggersRequest(project=current_project(), domain=current_domain(), task_name=task_name or "")
        left = limit
        async for page in pages(platform, platform.triggers.ListTriggers, request, limit=limit):
            for message in page.triggers:
                if left > 0 and task_version in (None, message.task_version):
                    left -= 1
                    yield Trigger(message)
            if left <= 0:
                return


async def put_trigger(
    trigger: TriggerSpec, *, task_name: str, task_version: str | None = None, types: Mapping[str, Any] | None = None
) -> Trigger:
    """Give a deployed task a trigger, see `Trigger.create`; `types` are those of its inputs, where they are known."""
    platform = connection()
    check_trigger(trigger)
    identity = _identity(trigger.name, task_name)
    message = trigger_to_proto(trigger, identity=identity, task_version=task_version, types=types or {})
    request = api.PutTriggerRequest(trigger=message, request_id=new_request_id())
    return Trigger((await platform.change(platform.triggers.PutTrigger, request)).trigger)


def _identity(name: str, task_name: str, *, project: str | None = None, domain: str | None = None) -> api.TriggerId:
    return api.TriggerId(
        project=project or current_project(), domain=domain or current_domain(), task_name=task_name, name=name
    )
