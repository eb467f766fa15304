"""Windows of a run's tree: the children of an action, a page of them at a time, groups folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flyteapi.admin.v1.run_service_pb2 import CountActionsRequest, ListActionsRequest
from flyteapi.common.v1 import phase_pb2
from flyteplane.console.views.actions import ActionView, Families, GroupView, action_view, families

if TYPE_CHECKING:
    from flyteapi.common.v1.identity_pb2 import RunId
    from flyteapi.scheduler.v1.scheduler_service_pb2 import ActionState
    from flyteplane.console.calls import Platform
    from flyteplane.console.views.phases import PhaseView

#: Rows of a window.
WINDOW: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Some children of an action, in the order in which they were called."""

    parent: str
    group: str | None
    """None: groups are folded; otherwise the members of one."""
    phase: str = ""
    """Code of the phase that all of these are in, whoever their parents are; empty for a window of the tree."""
    groups: Sequence[GroupView]
    """On the first window only."""
    actions: Sequence[ActionView]
    following: str
    """Token of the next window; empty on the last."""


class Tree:
    """The tree of one run, as one visitor may see it."""

    def __init__(self, platform: Platform, run: RunId) -> None:
        self._platform = platform
        self._run = run

    async def window(self, parent: str, *, group: str | None = None, token: str = "") -> Window:
        """The children of `parent`: its groups and those that are in none, or the members of one group."""
        groups = (await self.families([parent])).groups(parent) if group is None and not token else []
        request = ListActionsRequest(
            run=self._run, parent=parent, group=group or "", page_size=WINDOW, page_token=token
        )
        found = await self._platform.runs.ListActions(request)
        return Window(
            parent=parent,
            group=group,
            groups=groups,
            actions=await self._with_children(found.actions),
            following=found.next_page_token,
        )

    async def in_phase(self, phase: PhaseView, *, token: str = "") -> Window:
        """Actions of the whole run that are in a phase."""
        request = ListActionsRequest(
            run=self._run, phases=[phase_pb2.Phase.ValueType(phase.number)], page_size=WINDOW, page_token=token
        )
        found = await self._platform.runs.ListActions(request)
        actions = await self._with_children(found.actions)
        return Window(
            parent="", group=None, phase=phase.code, groups=(), actions=actions, following=found.next_page_token
        )

    async def named(self, names: Sequence[str]) -> Sequence[ActionView]:
        """Actions by name, as they are now."""
        found = await self._platform.runs.ListActions(
            ListActionsRequest(run=self._run, names=names, page_size=len(names))
        )
        return await self._with_children(found.actions)

    async def families(self, parents: Sequence[str]) -> Families:
        """How many children these actions have."""
        found = await self._platform.runs.CountActions(CountActionsRequest(run=self._run, parents=parents))
        return families(found.counts)

    async def _with_children(self, states: Sequence[ActionState]) -> list[ActionView]:
        if not states:
            return []
        counted = await self.families([state.id.name for state in states])
        return [action_view(state, children=counted.children(state.id.name)) for state in states]
