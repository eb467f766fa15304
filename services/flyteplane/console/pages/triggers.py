"""Triggers: when they fire next, and turning them on and off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from flyteapi.admin.v1.trigger_service_pb2 import (
    FireTriggerRequest,
    ListTriggersRequest,
    SetTriggerActiveRequest,
    TriggerId,
)
from flyteplane.console.pages.routes import change, page
from flyteplane.console.pages.scope import chosen_scope
from flyteplane.console.views.paths import run_path
from flyteplane.console.views.triggers import trigger_view
from flyteplane.foundation.ids import SystemIds

if TYPE_CHECKING:
    from starlette.responses import Response

    from flyteplane.console.visit import Visit

_ONE: Final = "/triggers/{project}/{domain}/{task}/{name}"


async def triggers(visit: Visit) -> Response:
    """Triggers of a project and domain."""
    scope = await chosen_scope(visit)
    found = await visit.platform.triggers.ListTriggers(ListTriggersRequest(project=scope.project, domain=scope.domain))
    return visit.render(
        "triggers.html",
        scope=scope,
        triggers=[trigger_view(trigger) for trigger in found.triggers],
        request_id=SystemIds().unique(),
    )


async def activate(visit: Visit) -> Response:
    """Let it fire."""
    return await _set(visit, active=True)


async def deactivate(visit: Visit) -> Response:
    """Let it rest."""
    return await _set(visit, active=False)


async def fire(visit: Visit) -> Response:
    """Start its run now."""
    request_id = str(visit.form.get("request_id") or "")
    fired = await visit.platform.triggers.FireTrigger(FireTriggerRequest(id=_named(visit), request_id=request_id))
    return visit.go_to(run_path(fired.run.id))


async def _set(visit: Visit, *, active: bool) -> Response:
    await visit.platform.triggers.SetTriggerActive(SetTriggerActiveRequest(id=_named(visit), active=active))
    named = visit.named
    return visit.go_to(f"/triggers?{urlencode({'project': named['project'], 'domain': named['domain']})}")


def _named(visit: Visit) -> TriggerId:
    named = visit.named
    return TriggerId(project=named["project"], domain=named["domain"], task_name=named["task"], name=named["name"])


ROUTES: Final = (
    page("/triggers", triggers),
    change(f"{_ONE}/activate", activate),
    change(f"{_ONE}/deactivate", deactivate),
    change(f"{_ONE}/fire", fire),
)
