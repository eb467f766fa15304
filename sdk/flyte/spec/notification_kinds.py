"""The kinds of notifications that users write, and what each sends. Public as `flyte.notify`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from flyte.spec.notifications import (
    DEFAULT_SUBJECT,
    MOST_NOTIFICATIONS,
    Delivery,
    HttpMethod,
    Mail,
    WebRequest,
    as_json,
    check_delivery_name,
    check_url,
)
from flyte.spec.notifications import NamedDelivery as Named
from flyte.spec.phases import ActionPhase
from flyte.spec.problems import InvalidSetting, InvalidSettingType

_BODY: Final = (
    "Run: {{.Run.Name}}\nProject/Domain: {{.Run.Project}}/{{.Run.Domain}}\nPhase: {{.Phase}}\nError: {{.Error}}\n"
)


@dataclass(frozen=True, kw_only=True)
class Notification:
    """Something that is sent when a run reaches a terminal phase, or one of several.

    Texts may hold `{{.Run.Name}}`, `{{.Run.Project}}`, `{{.Run.Domain}}`, `{{.Run.Task}}`, `{{.Run.Url}}`, `{{.Phase}}`
    and `{{.Error}}`. Raises InvalidSetting (a ValueError) without a phase or for one that does not end a run,
    InvalidSettingType (a TypeError) for anything else than phases.
    """

    on_phase: ActionPhase | tuple[ActionPhase, ...]

    def __post_init__(self) -> None:
        phases = tuple(self.on_phase) if isinstance(self.on_phase, tuple | list | set) else (self.on_phase,)
        if not phases:
            raise InvalidSetting("on_phase must name at least one phase", field="on_phase")
        for phase in phases:
            if not isinstance(phase, ActionPhase):
                raise InvalidSettingType(f"on_phase must be ActionPhase values, got {phase!r}", field="on_phase")
            if not phase.is_terminal:
                raise InvalidSetting(f"on_phase must be phases that end a run, got {phase.name}", field="on_phase")
        object.__setattr__(self, "on_phase", phases)
        self.delivery()

    @property
    def phases(self) -> tuple[ActionPhase, ...]:
        """The phases at which it is sent."""
        return self.on_phase if isinstance(self.on_phase, tuple) else (self.on_phase,)

    def delivery(self) -> Delivery | None:
        """What is sent; None for a notification of no kind, which says only when."""
        return None


@dataclass(frozen=True, kw_only=True)
class Email(Notification):
    """A mail."""

    recipients: tuple[str, ...]
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str = DEFAULT_SUBJECT
    body: str = _BODY
    html_body: str | None = None

    def delivery(self) -> Mail:
        """The mail as a value."""
        return Mail(
            recipients=_addresses(self.recipients, "recipients"),
            cc=_addresses(self.cc, "cc"),
            bcc=_addresses(self.bcc, "bcc"),
            subject=self.subject,
            body=self.body,
            html_body=self.html_body or "",
        )


@dataclass(frozen=True, kw_only=True)
class Slack(Notification):
    """A message to a Slack webhook: a text, or blocks, which a text then stands in for where they cannot be shown."""

    webhook_url: str
    message: str | None = None
    blocks: tuple[dict[str, Any], ...] | None = None

    def delivery(self) -> WebRequest:
        """The message as Slack's incoming webhooks take it."""
        check_url(self.webhook_url, field="webhook_url")
        body: dict[str, Any] = {"text": self.message or DEFAULT_SUBJECT}
        if self.blocks:
            body["blocks"] = list(self.blocks)
        return WebRequest(url=self.webhook_url, body=as_json(body, field="blocks"))


@dataclass(frozen=True, kw_only=True)
class Teams(Notification):
    """A message to a Microsoft Teams webhook: a title with a text, or an adaptive card."""

    webhook_url: str
    title: str = DEFAULT_SUBJECT
    message: str | None = None
    card: dict[str, Any] | None = None

    def delivery(self) -> WebRequest:
        """The message as the webhooks of Teams take it: one adaptive card."""
        check_url(self.webhook_url, field="webhook_url")
        card = self.card if self.card is not None else _adaptive_card(self.title, self.message or _BODY)
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        body = as_json({"type": "message", "attachments": [attachment]}, field="card")
        return WebRequest(url=self.webhook_url, body=body)


@dataclass(frozen=True, kw_only=True)
class Webhook(Notification):
    """A request to a URL. Without a body it carries a JSON object with run_name, run_project, phase and so on."""

    url: str
    method: HttpMethod = "POST"
    headers: dict[str, str] | None = None
    body: dict[str, Any] | None = None

    def delivery(self) -> WebRequest:
        """The request as a value."""
        body = "" if self.body is None else as_json(self.body, field="body")
        return WebRequest(url=self.url, method=self.method, headers=dict(self.headers or {}), body=body)


@dataclass(frozen=True, kw_only=True)
class NamedDelivery(Notification):
    """A delivery that the platform's operators have set up under a name. Local runs know none."""

    name: str

    def delivery(self) -> Named:
        """The name as a value."""
        return Named(self.name)


@dataclass(frozen=True)
class NamedRule:
    """A set of notifications that the platform's operators have set up under a name. Local runs know none."""

    name: str

    def __post_init__(self) -> None:
        check_delivery_name(self.name)


Notifications: TypeAlias = Notification | NamedRule | tuple[Notification, ...] | None
"""What `notifications=` takes."""


def checked_notifications(given: Notifications, *, field: str = "notifications") -> tuple[Notification, ...]:
    """Return the notifications that are given, one by one; none for a rule, whose notifications the platform knows.

    Raises InvalidSettingType for anything else, InvalidSetting for one that does not say what is sent and for too many.
    """
    if given is None or isinstance(given, NamedRule):
        return ()
    several = tuple(given) if isinstance(given, tuple | list) else (given,)
    for one in several:
        if not isinstance(one, Notification):
            raise InvalidSettingType(
                f"{field} must be a Notification, a tuple of them or a NamedRule, got {one!r}", field=field
            )
        if one.delivery() is None:
            raise InvalidSetting(f"{field} must say what is sent: use Email, Slack, Teams or Webhook", field=field)
    if len(several) > MOST_NOTIFICATIONS:
        raise InvalidSetting(f"{field} can be {MOST_NOTIFICATIONS} at most, got {len(several)}", field=field)
    return several


def _addresses(given: object, field: str) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, tuple | list):
        raise InvalidSettingType(f"{field} must be a tuple of mail addresses, got {given!r}", field=field)
    return tuple(given)


def _adaptive_card(title: str, message: str) -> dict[str, Any]:
    blocks = [
        {"type": "TextBlock", "text": title, "weight": "bolder", "size": "medium", "wrap": True},
        {"type": "TextBlock", "text": message, "wrap": True},
    ]
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
