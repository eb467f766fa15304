"""What was seen of a pod before: statuses forget causes, and patience needs to know since when there is trouble."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from flyteplane.cluster.kubernetes.containers import seconds_of
from flyteplane.cluster.kubernetes.trouble import bounded

#: Characters of the message of one event, of which a history has many.
_MAX_EVENT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PodHistory:
    """What is remembered of one pod."""

    trouble: str = ""
    """What keeps it from running, as a key that stays the same while the trouble does; empty: nothing."""
    since: float = 0.0
    """When that trouble was first seen; monotonic seconds."""
    pull_message: str = ""
    """Why its image could not be pulled; a status in back-off no longer says."""
    warning_reason: str = ""
    """Of the latest event of type Warning."""
    warning_message: str = ""
    warned_at: float = 0.0
    """When that event last happened, by the cluster's clock."""
    warning_seen: float = 0.0
    """When it was last seen to happen; monotonic seconds."""

    def in_trouble(self, trouble: str, *, now: float) -> PodHistory:
        """With this trouble, which may be the one that is known already."""
        return self if trouble == self.trouble else replace(self, trouble=trouble, since=now)

    def without_trouble(self) -> PodHistory:
        """Nothing keeps it from running any more."""
        return replace(self, trouble="", since=0.0) if self.trouble else self

    def warned(self, event: Mapping[str, Any], *, now: float) -> PodHistory:
        """With an event of type Warning about the pod. What a status says better is left out, and so is old news."""
        reason, message = str(event.get("reason") or ""), bounded(str(event.get("message") or ""), _MAX_EVENT)
        if reason == "Failed" and message.startswith("Error: "):
            return self
        if reason == "Failed" and "image" in message:
            return replace(self, pull_message=message)
        # The condition PodScheduled says the same under this name.
        reason = "Unschedulable" if reason == "FailedScheduling" else reason
        at = seconds_of(event.get("lastTimestamp") or event.get("eventTime"))
        known = (self.warned_at, self.warning_reason, self.warning_message)
        if at < self.warned_at or known == (at, reason, message):
            return self
        return replace(self, warning_reason=reason, warning_message=message, warned_at=at, warning_seen=now)
