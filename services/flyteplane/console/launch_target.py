"""What a launch form is for: a deployed task, or an earlier run that is to run again, whole or recovered.

The address of the form says it, so that a form can be linked to, and a post finds the same again:

    /launch?task=PROJECT/DOMAIN/NAME&version=VERSION
    /launch?rerun=PROJECT/DOMAIN/RUN[&recover=1]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from flyte.spec.child_names import ROOT_ACTION
from flyteapi.admin.v1.run_service_pb2 import GetActionDataRequest, GetRunRequest, ListActionsRequest
from flyteapi.admin.v1.task_service_pb2 import GetTaskRequest
from flyteapi.common.v1.identity_pb2 import ActionId, RunId
from flyteapi.common.v1.phase_pb2 import PHASE_SUCCEEDED
from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState, RunSettings
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteapi.task.v1.value_pb2 import NamedValues
from flyteplane.console.launch.form import LaunchForm
from flyteplane.console.uploads import fetch_payload
from flyteplane.foundation.errors import NotFound

if TYPE_CHECKING:
    from flyteplane.console.calls import Platform

ROOT: Final = ROOT_ACTION
MOST_SHOWN_BYTES: Final = 4 * 1024 * 1024
MOST_KEPT_ACTIONS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is to be launched."""

    project: str
    domain: str
    task: TaskSpec
    version: str = ""
    """Of the deployed task; empty for a run that runs again."""
    source: RunId | None = None
    """The run that runs again; None for a new one."""
    recover: bool = False
    given: NamedValues | None = None
    """Inputs of the source; None for a new run, and for inputs that are too large for a form."""
    settings: RunSettings = field(default_factory=RunSettings)
    """Of the source."""
    kept: Sequence[ActionState] = ()
    """Actions of the source that a recovery takes over; the first of them if there are many."""
    more_kept: bool = False

    @property
    def form(self) -> LaunchForm | None:
        """The form of the inputs; None where they are too large, and stay as they were."""
        if self.source is not None and self.given is None:
            return None
        return LaunchForm(self.task.interface, given=self.given)


async def find_target(platform: Platform, asked: Mapping[str, str]) -> Target:
    """What the address of a form names. Raises NotFound, and what the platform's calls raise."""
    if "rerun" in asked:
        project, domain, name = _three(asked["rerun"])
        return await _rerun(platform, RunId(project=project, domain=domain, name=name), recover="recover" in asked)
    project, domain, name = _three(asked.get("task", ""))
    wanted = GetTaskRequest(project=project, domain=domain, name=name, version=asked.get("version", ""))
    task = (await platform.tasks.GetTask(wanted)).task
    return Target(project=project, domain=domain, task=task.spec, version=task.version)


async def _rerun(platform: Platform, source: RunId, *, recover: bool) -> Target:
    found = await platform.runs.GetRun(GetRunRequest(run=source))
    data = await platform.runs.GetActionData(GetActionDataRequest(action=ActionId(run=source, name=ROOT)))
    content = await fetch_payload(platform, data.inputs, most_bytes=MOST_SHOWN_BYTES)
    kept, more = await _kept(platform, source) if recover else ((), False)
    return Target(
        project=source.project,
        domain=source.domain,
        task=found.task,
        source=source,
        recover=recover,
        given=None if content is None else NamedValues.FromString(content),
        settings=found.run.settings,
        kept=kept,
        more_kept=more,
    )


async def _kept(platform: Platform, source: RunId) -> tuple[Sequence[ActionState], bool]:
    wanted = ListActionsRequest(run=source, phases=[PHASE_SUCCEEDED], page_size=MOST_KEPT_ACTIONS)
    page = await platform.runs.ListActions(wanted)
    return [action for action in page.actions if action.id.name != ROOT], bool(page.next_page_token)


def _three(text: str) -> tuple[str, str, str]:
    parts = text.split("/")
    if len(parts) != 3 or not all(parts):
        raise NotFound("the address names nothing that could be launched", reason="LAUNCH_TARGET")
    return parts[0], parts[1], parts[2]
