"""What is sent to somebody when a run ends: the values, their rules, and how their texts are filled in.

A delivery is a mail, a web request or a name under which the operator has set one up. Slack and Teams are web requests
with a body of theirs. Texts may hold placeholders such as `{{.Run.Name}}`; in a body each text of the JSON is filled in
by itself, so that no error message can break it. Admin fills in for runs of a platform, the SDK for local ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from flyte.spec.problems import InvalidSetting, InvalidSettingType

if TYPE_CHECKING:
    from email.message import EmailMessage

HttpMethod = Literal["POST", "PUT", "PATCH", "GET", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"]

MOST_NOTIFICATIONS: Final = 32
DEFAULT_SUBJECT: Final = "Run {{.Run.Name}} {{.Phase}}"
#: What the standard library writes into a header as it is; "=?" begins a word that it would decode.
_ADDRESS: Final = re.compile(r"\A(?!.*=\?)[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(\.[\w-]+)*\Z")
#: Lists and objects of a body inside of each other. Python counts its own calls, of which filling in takes two each.
_DEEPEST_BODY: Final = 100
_HEADER_NAME: Final = re.compile(r"\A[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_PLACEHOLDER: Final = re.compile(r"\{\{\s*\.([A-Za-z.]+)\s*\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail. Raises InvalidSetting without a recipient, and for what is no mail address."""

    recipients: tuple[str, ...]
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str
    body: str
    html_body: str = ""

    def __post_init__(self) -> None:
        if not self.recipients:
            raise InvalidSetting("Email needs at least one recipient", field="recipients")
        for name in ("recipients", "cc", "bcc"):
            for address in getattr(self, name):
                if not isinstance(address, str) or not _ADDRESS.match(address):
                    raise InvalidSetting(f"{address!r} is not a mail address", field=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRequest:
    """A request to an address. Raises InvalidSetting for what could not be sent as it is."""

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    """JSON. Empty: what is known of the end of the run, as an object, for a method that has a body."""

    def __post_init__(self) -> None:
        check_url(self.url, field="url")
        if self.method not in get_args(HttpMethod):
            raise InvalidSetting(f"method must be one of {get_args(HttpMethod)}, got {self.method!r}", field="method")
        for name, value in self.headers.items():
            if not isinstance(name, str) or not _HEADER_NAME.match(name):
                raise InvalidSetting(f"{name!r} is no name of a header", field="headers")
            if not isinstance(value, str) or not value.isprintable() or not value.isascii():
                raise InvalidSetting(f"the header {name} must be printable ASCII", field="headers")
        if self.body:
            _parsed(self.body)


@dataclass(frozen=True, slots=True)
class NamedDelivery:
    """A delivery that the operator has set up."""

    name: str

    def __post_init__(self) -> None:
        check_delivery_name(self.name)


Delivery: TypeAlias = Mail | WebRequest | NamedDelivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is told of a run that has ended."""

    run: str
    project: str
    domain: str
    task: str
    phase: str
    """In capitals: SUCCEEDED, FAILED, ABORTED or TIMED_OUT."""
    error: str = ""
    """Empty if there is none."""
    url: str = ""
    """Where a person sees the run; empty if that is not known."""

    def placeholders(self) -> dict[str, str]:
        """What each placeholder stands for."""
        return {
            "Run.Name": self.run,
            "Run.Project": self.project,
            "Run.Domain": self.domain,
            "Run.Task": self.task,
            "Run.Url": self.url,
            "Phase": self.phase,
            "Error": self.error,
        }


def filled(text: str, ending: Ending) -> str:
    """A text with its placeholders filled in; one that is not known stays as it is."""
    return _filled_with(text, ending.placeholders())


def request_body(request: WebRequest, ending: Ending) -> bytes | None:
    """The body to send, or None for a method that has none unless one is written."""
    if request.body:
        return json.dumps(_filled_json(_parsed(request.body), ending)).encode()
    if request.method not in ("POST", "PUT", "PATCH"):
        return None
    told = {name.replace("Run.", "run_").lower(): value for name, value in ending.placeholders().items()}
    return json.dumps({name: value for name, value in told.items() if value}).encode()


def message_of(mail: Mail, ending: Ending, *, sender: str, message_id: str) -> EmailMessage:
    """The mail as it is sent. The same id makes a mail that comes twice known as one."""
    from email.message import EmailMessage

    message = EmailMessage()
    # A header is one line, and an error message may have several.
    message["Subject"] = " ".join(filled(mail.subject, ending).split())
    message["From"] = sender
    message["To"] = ", ".join(mail.recipients)
    if mail.cc:
        message["Cc"] = ", ".join(mail.cc)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(filled(mail.body, ending))
    if mail.html_body:
        message.add_alternative(_filled_html(mail.html_body, ending), subtype="html")
    return message


def shown_target(delivery: Delivery) -> str:
    """Where a delivery goes, without what may be secret in it: the path of a webhook lets everybody post there."""
    if isinstance(delivery, Mail):
        return "mail to " + ", ".join((*delivery.recipients, *delivery.cc, *delivery.bcc))
    if isinstance(delivery, WebRequest):
        return f"{delivery.method} {urlsplit(delivery.url).hostname}"
    return f"delivery {delivery.name}"


def check_delivery_name(name: object) -> None:
    """Check the name of a delivery or rule. Raises InvalidSetting."""
    if not isinstance(name, str) or not name:
        raise InvalidSetting(f"name must be a text that is not empty, got {name!r}", field="name")


def check_url(url: object, *, field: str) -> None:
    """Check an address of the web. Raises InvalidSetting."""
    parts = urlsplit(url) if isinstance(url, str) and url.isprintable() and " " not in url else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidSetting(f"{field} must be an http or https URL, got {url!r}", field=field)


def as_json(value: object, *, field: str) -> str:
    """A body as text. Raises InvalidSettingType for what JSON cannot say."""
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise InvalidSettingType(f"{field} must be what JSON can say: {error}", field=field) from None


def _parsed(body: str) -> Any:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidSetting(f"body must be JSON: {error}", field="body") from None
    layer = [parsed]
    for _ in range(_DEEPEST_BODY):
        layer = [inner for one in layer for inner in _inside(one)]
        if not layer:
            return parsed
    raise InvalidSetting(f"body is nested more than {_DEEPEST_BODY} times", field="body")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _filled_json(value: Any, ending: Ending) -> Any:
    if isinstance(value, str):
        return filled(value, ending)
    if isinstance(value, dict):
        return {key: _filled_json(part, ending) for key, part in value.items()}
    return [_filled_json(part, ending) for part in value] if isinstance(value, list) else value


def _filled_html(text: str, ending: Ending) -> str:
    import html

    return _filled_with(text, {name: html.escape(value) for name, value in ending.placeholders().items()})


def _filled_with(text: str, known: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: known.get(found[1], found[0]), text)
