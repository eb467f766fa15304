"""Who is told when a run ends, by mail, chat or webhook.

Given to `flyte.with_runcontext(notifications=...)` or to a `flyte.Trigger`. A platform sends them durably, see
docs/notifications.md; a local run sends them itself when it has ended. What could never be sent is refused where it is
written.
"""

from __future__ import annotations

from flyte.spec.notification_kinds import Email, NamedDelivery, NamedRule, Notification, Slack, Teams, Webhook

__all__ = ["Email", "NamedDelivery", "NamedRule", "Notification", "Slack", "Teams", "Webhook"]
