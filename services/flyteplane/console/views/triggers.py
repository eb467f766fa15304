"""Triggers: what they start, when, and how the last firing went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from flyteapi.admin.v1.trigger_service_pb2 import CATCH_UP_ALL, CATCH_UP_SKIP
from flyteplane.console.views.paths import task_path
from flyteplane.console.views.times import duration_text, seconds_of

if TYPE_CHECKING:
    from flyteapi.admin.v1.trigger_service_pb2 import Trigger, TriggerId

_CATCH_UPS: Final = {CATCH_UP_SKIP: "missed times are skipped", CATCH_UP_ALL: "missed times are made up for"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerView:
    """A trigger. `path` is where its changes are posted to."""

    name: str
    task: str
    task_path: str
    path: str
    schedule: str
    zone: str
    active: bool
    next_at: float | None
    last_at: float | None
    last_error: str
    missed: str
    description: str


def trigger_view(trigger: Trigger) -> TriggerView:
    """A trigger of a message."""
    key = trigger.id
    return TriggerView(
        name=key.name,
        task=key.task_name,
        task_path=task_path(key.project, key.domain, key.task_name),
        path=_path(key),
        schedule=_schedule(trigger),
        zone=(trigger.cron.timezone or "UTC") if trigger.HasField("cron") else "",
        active=trigger.active,
        next_at=seconds_of(trigger, "next_fire_at") if trigger.active else None,
        last_at=seconds_of(trigger, "last_fired_at"),
        last_error=trigger.last_error,
        missed=_CATCH_UPS.get(trigger.catch_up, "of missed times the last is made up for"),
        description=trigger.description,
    )


def _path(key: TriggerId) -> str:
    return "/triggers/" + "/".join(quote(part, safe="") for part in (key.project, key.domain, key.task_name, key.name))


def _schedule(trigger: Trigger) -> str:
    match trigger.WhichOneof("schedule"):
        case "cron":
            return trigger.cron.expression
        case "fixed_rate":
            interval = duration_text(trigger.fixed_rate.interval.ToTimedelta().total_seconds())
            return f"every {interval.removesuffix(' 0 s').removesuffix(' 0 min').removesuffix(' 0 h')}"
        case _:
            return "by hand only"
