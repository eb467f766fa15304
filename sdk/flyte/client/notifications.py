"""Notifications of the user's as messages of the platform's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyte.spec.notification_kinds import NamedRule, checked_notifications
from flyte.spec.notifications import Mail, NamedDelivery, WebRequest
from flyte.spec.phases import ActionPhase
from flyteapi.common.v1.notification_pb2 import Notification as NotificationMessage
from flyteapi.common.v1.phase_pb2 import Phase

if TYPE_CHECKING:
    from flyte.spec.notification_kinds import Notification, Notifications
    from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings


def set_notifications(settings: RunSettings, given: Notifications) -> None:
    """Write what is given to `notifications=` into the settings of a run; None leaves them as they are."""
    if isinstance(given, NamedRule):
        settings.notification_rule = given.name
        return
    settings.notifications.extend(_message(one) for one in checked_notifications(given))


def _message(notification: Notification) -> NotificationMessage:
    # A recovered run is one that has succeeded.
    phases = {ActionPhase.SUCCEEDED if one is ActionPhase.RECOVERED else one for one in notification.phases}
    message = NotificationMessage(on_phases=sorted(Phase.Value(one.to_protobuf_name()) for one in phases))
    match notification.delivery():
        case Mail() as mail:
            message.mail.recipients.extend(mail.recipients)
            message.mail.cc.extend(mail.cc)
            message.mail.bcc.extend(mail.bcc)
            message.mail.subject, message.mail.body, message.mail.html_body = mail.subject, mail.body, mail.html_body
        case WebRequest() as request:
            message.web_request.url, message.web_request.method = request.url, request.method
            message.web_request.headers.update(request.headers)
            message.web_request.body = request.body
        case NamedDelivery(name):
            message.named = name
    return message
