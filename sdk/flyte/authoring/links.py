"""Links that are shown on the actions of a task, to dashboards and log stores outside of the platform."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Link(Protocol):
    """Something that makes a URL of an action. The attribute `name` is what is shown."""

    name: str

    def get_link(
        self,
        run_name: str,
        project: str,
        domain: str,
        context: dict[str, str],
        parent_action_name: str,
        action_name: str,
        pod_name: str,
        **kwargs: Any,
    ) -> str:
        """Return the URL for an action."""
        ...
