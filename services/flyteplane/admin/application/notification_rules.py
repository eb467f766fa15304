"""Which notifications a run may ask for, and what is planned for it.

What could never be sent is refused when the run is submitted or the trigger is put: a name that the operator has not
set up, mail without a mail server, a host that is not allowed.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from flyte.spec.notifications import MOST_NOTIFICATIONS, Delivery, Mail, NamedDelivery, WebRequest
from flyteapi.common.v1.notification_pb2 import Notification
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings
from flyteplane.admin.application.notification_messages import delivery_of
from flyteplane.admin.application.setting_rules import spec_rules
from flyteplane.admin.domain.notification import Deliveries
from flyteplane.admin.domain.run import NotificationPlan, RunPhase
from flyteplane.foundation.errors import InvalidArgument


class NotificationRules:
    """The rules under what the operator has set up."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries

    def plan(self, settings: RunSettings) -> tuple[NotificationPlan, ...]:
        """What is sent when the run ends: that of the settings first, then that of the rule. Raises InvalidArgument."""
        if len(settings.notifications) > MOST_NOTIFICATIONS:
            raise _refusal(
                f"there are {len(settings.notifications)}",
                field="settings.notifications",
                limit=f"{MOST_NOTIFICATIONS} a run",
                mend="Name a rule of the operator's file, or leave some out.",
            )
        own = [
            self._planned(notification, field=f"settings.notifications[{position}]")
            for position, notification in enumerate(settings.notifications)
        ]
        return (*own, *self._planned_by_rule(settings.notification_rule))

    def _planned(self, notification: Notification, *, field: str) -> NotificationPlan:
        phases = frozenset(RunPhase.of(phase) for phase in notification.on_phases)
        if not phases or not all(phase.is_terminal for phase in phases):
            mend = "Name one or more of SUCCEEDED, FAILED, ABORTED and TIMED_OUT."
            raise _refusal("it names no phases that end a run", field=f"{field}.on_phases", mend=mend)
        if notification.withheld:
            mend = "Give the whole address and its headers."
            raise _refusal("its address is withheld", field=f"{field}.web_request.url", mend=mend)
        with spec_rules(field):
            delivery = delivery_of(notification)
        self._check(delivery, field=field)
        return NotificationPlan(phases=phases, named=notification.named)

    def _check(self, delivery: Delivery | None, *, field: str) -> None:
        match delivery:
            case None:
                raise _refusal("it does not say what is sent", field=field, mend="Give a mail, web_request or name.")
            case NamedDelivery(name):
                self._known(name, self._deliveries.named, kind="delivery", field=f"{field}.named")
            case Mail() if not self._deliveries.sends_mail:
                mend = "Ask the operator to name a mail server in notifications.smtp, or use a webhook."
                raise _refusal("this platform sends no mail", field=f"{field}.mail", mend=mend)
            case WebRequest(url=url) if not self._is_allowed(urlsplit(url).hostname or ""):
                raise _refusal(
                    f"web requests may not go to {urlsplit(url).hostname}",
                    field=f"{field}.web_request.url",
                    limit=", ".join(self._deliveries.web_hosts) or "no host",
                    mend="Ask the operator to add the host to notifications.web_hosts.",
                )

    def _planned_by_rule(self, name: str) -> Iterable[NotificationPlan]:
        if not name:
            return ()
        self._known(name, self._deliveries.rules, kind="rule", field="settings.notification_rule")
        return [NotificationPlan(phases=line.phases, named=line.delivery) for line in self._deliveries.rules[name]]

    def _known(self, name: str, known: Iterable[str], *, kind: str, field: str) -> None:
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            mend = f"Use one that the operator has set up ({names}), or ask for this one in notifications.{kind}s."
            raise _refusal(f"there is no {kind} {name!r}", field=field, mend=mend.replace("deliverys", "deliveries"))

    def _is_allowed(self, host: str) -> bool:
        return any(fnmatchcase(host.lower(), pattern.lower()) for pattern in self._deliveries.web_hosts)


def _refusal(words: str, *, field: str, mend: str, limit: str = "") -> InvalidArgument:
    return InvalidArgument(words, reason="NOTIFICATION", field=field, limit=limit, mend=mend)
