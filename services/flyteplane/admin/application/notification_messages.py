"""Notifications as messages: into values, and back without what may be secret in them."""

from urllib.parse import urlsplit

from flyte.spec.notifications import Delivery, Mail, NamedDelivery, WebRequest
from flyteapi.common.v1.notification_pb2 import Notification
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings


def delivery_of(message: Notification) -> Delivery | None:
    """What is to be sent; None if the message does not say. Raises InvalidSetting for what could not be sent."""
    match message.WhichOneof("delivery"):
        case "mail":
            mail = message.mail
            return Mail(
                recipients=tuple(mail.recipients),
                cc=tuple(mail.cc),
                bcc=tuple(mail.bcc),
                subject=mail.subject,
                body=mail.body,
                html_body=mail.html_body,
            )
        case "web_request":
            request = message.web_request
            return WebRequest(
                url=request.url, method=request.method or "POST", headers=dict(request.headers), body=request.body
            )
        case "named":
            return NamedDelivery(message.named)
    return None


def without_secrets(settings: RunSettings) -> RunSettings:
    """The settings as readers of a run see them: who has the whole address of a webhook can post there."""
    for notification in settings.notifications:
        if notification.WhichOneof("delivery") == "web_request":
            request, parts = notification.web_request, urlsplit(notification.web_request.url)
            request.url = f"{parts.scheme}://{parts.hostname}"
            request.headers.clear()
            notification.withheld = True
    return settings


def restore_secrets(settings: RunSettings, *, source: RunSettings) -> None:
    """Take what was withheld in the settings of a repetition from the source's at the same place."""
    for position, notification in enumerate(settings.notifications):
        if notification.withheld and position < len(source.notifications):
            notification.CopyFrom(source.notifications[position])
