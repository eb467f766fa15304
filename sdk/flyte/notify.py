"""Who is told when a run reaches a phase: mail, chat and webhooks, as values.

They are checked where they are written. This platform sends none of them yet, so a run or trigger that asks for one is
refused instead of staying silent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

from flyte.spec.phases import ActionPhase
from flyte.spec.problems import InvalidSetting, InvalidSettingType

__all__ = ["Email", "NamedDelivery", "NamedRule", "Notification", "Slack", "Teams", "Webhook"]

HttpMethod = Literal["POST", "PUT", "PATCH", "GET", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"]

_SUBJECT: Final = "Run {{.Run.Name}} {{.Phase}}"
_BODY: Final = (
    "Run: {{.Run.Name}}\nProject/Domain: {{.Run.Project}}/{{.Run.Domain}}\nPhase: {{.Phase}}\nError: {{.Error}}\n"
)
_ADDRESS: Final = re.compile(r"\A[^@\s]+@[^@\s]+\Z")


@dataclass(frozen=True, kw_only=True)
class Notification:
    """Something that is sent when a run reaches a terminal phase, or one of several.

    Raises InvalidSetting (a ValueError) without a phase or for one that does not end a run, InvalidSettingType (a
    TypeError) for anything else than phases.
    """

    on_phase: ActionPhase | tuple[ActionPhase, ...]

    def __post_init__(self) -> None:
        phases = self.on_phase if isinstance(self.on_phase, tuple) else (self.on_phase,)
        if not phases:
            raise InvalidSetting("on_phase must name at least one phase", field="on_phase")
        for phase in phases:
            if not isinstance(phase, ActionPhase):
                raise InvalidSettingType(f"on_phase must be ActionPhase values, got {phase!r}", field="on_phase")
            if not phase.is_terminal:
                raise InvalidSetting(f"on_phase must be phases that end a run, got {phase.name}", field="on_phase")
        object.__setattr__(self, "on_phase", phases)


@dataclass(frozen=True, kw_only=True)
class Email(Notification):
    """A mail. Subject and body may use the placeholders of the defaults."""

    recipients: tuple[str, ...]
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str = _SUBJECT
    body: str = _BODY
    html_body: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.recipients:
            raise InvalidSetting("Email needs at least one recipient", field="recipients")
        for address in (*self.recipients, *self.cc, *self.bcc):
            if not isinstance(address, str) or not _ADDRESS.match(address):
                raise InvalidSetting(f"{address!r} is not a mail address", field="recipients")


@dataclass(frozen=True, kw_only=True)
class Slack(Notification):
    """A message to a Slack webhook: a text or blocks."""

    webhook_url: str
    message: str | None = None
    blocks: tuple[dict[str, Any], ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_url(self.webhook_url, field="webhook_url")


@dataclass(frozen=True, kw_only=True)
class Teams(Notification):
    """A message to a Microsoft Teams webhook: a title with a text, or a card."""

    webhook_url: str
    title: str = _SUBJECT
    message: str | None = None
    card: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_url(self.webhook_url, field="webhook_url")


@dataclass(frozen=True, kw_only=True)
class Webhook(Notification):
    """A request to a URL."""

    url: str
    method: HttpMethod = "POST"
    headers: dict[str, str] | None = None
    body: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_url(self.url, field="url")
        if self.method not in get_args(HttpMethod):
            raise InvalidSetting(f"method must be one of {get_args(HttpMethod)}, got {self.method!r}", field="method")


@dataclass(frozen=True, kw_only=True)
class NamedDelivery(Notification):
    """A delivery that the platform's administrators have set up under a name."""

    name: str

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_name(self.name)


@dataclass(frozen=True)
class NamedRule:
    """A set of notifications that the platform's administrators have set up under a name."""

    name: str

    def __post_init__(self) -> None:
        _check_name(self.name)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidSetting(f"name must be a text that is not empty, got {name!r}", field="name")


def _check_url(url: object, *, field: str) -> None:
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc:
        raise InvalidSetting(f"{field} must be an http or https URL, got {url!r}", field=field)
