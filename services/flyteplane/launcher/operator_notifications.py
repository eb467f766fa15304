"""From the section `notifications` of an operator's file to options of admin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from flyte.spec.notifications import Mail, WebRequest
from flyte.spec.problems import InvalidSetting
from flyteplane.admin.domain.notification import Deliveries, Rule
from flyteplane.admin.domain.run import RunPhase
from flyteplane.admin.notifications import MailServer, NotificationOptions
from flyteplane.foundation.errors import InvalidArgument

if TYPE_CHECKING:
    from flyteplane.launcher import operator_schema as schema


def notification_options(given: schema.Notifications, *, folder: Path) -> NotificationOptions:
    """The options; `folder` is where relative paths begin. Raises InvalidArgument, with the field below the section."""
    named = {name: _delivery(name, one, folder=folder) for name, one in given.deliveries.items()}
    for name, lines in given.rules.items():
        for line in lines:
            if line.delivery not in named:
                mend = f"Use one of {', '.join(sorted(named)) or 'none yet'}, or add it to notifications.deliveries."
                raise InvalidArgument(f"there is no delivery {line.delivery!r}", field=f"rules.{name}", mend=mend)
    rules = {
        name: tuple(
            Rule(phases=frozenset(RunPhase[phase] for phase in line.on_phase), delivery=line.delivery) for line in lines
        )
        for name, lines in given.rules.items()
    }
    return NotificationOptions(
        mail_server=_server(given.smtp, folder=folder),
        deliveries=Deliveries(named=named, rules=rules, web_hosts=tuple(given.web_hosts)),
    )


def _server(given: schema.Smtp | None, *, folder: Path) -> MailServer | None:
    if given is None:
        return None
    password_file, ca_file = _path(folder, given.password_file), _path(folder, given.ca_file)
    if given.user and password_file is None:
        mend = "Name the file that holds the password, or leave user out."
        raise InvalidArgument("a user needs a password", field="smtp.password_file", mend=mend)
    if given.user and given.security == "none":
        mend = "Use starttls or tls where a password is sent."
        raise InvalidArgument("the password would be sent in clear", field="smtp.security", mend=mend)
    for name, path in (("password_file", password_file), ("ca_file", ca_file)):
        if path is not None:
            _content(path, field=f"smtp.{name}")
    return MailServer(
        host=given.host,
        port=given.port,
        sender=given.sender,
        security=given.security,
        user=given.user,
        password_file=password_file,
        ca_file=ca_file,
    )


def _delivery(name: str, given: schema.MailDelivery | schema.WebDelivery, *, folder: Path) -> Mail | WebRequest:
    field = f"deliveries.{name}"
    try:
        if given.kind == "mail":
            return Mail(
                recipients=tuple(given.recipients),
                cc=tuple(given.cc),
                bcc=tuple(given.bcc),
                subject=given.subject,
                body=given.body,
                html_body=given.html_body,
            )
        path = _path(folder, given.url_file)
        url = given.url if path is None else _content(path, field=f"{field}.url_file")
        body = "" if given.body is None else json.dumps(given.body)
        return WebRequest(url=url, method=given.method, headers=given.headers, body=body)
    except InvalidSetting as problem:
        raise InvalidArgument(str(problem), field=f"{field}.{problem.field}", mend="Correct it.") from None


def _content(path: Path, *, field: str) -> str:
    try:
        return path.read_text().strip()
    except OSError as problem:
        raise InvalidArgument(f"{path} cannot be read: {problem.strerror}", field=field, mend="Correct it.") from None


def _path(folder: Path, given: str | None) -> Path | None:
    return None if given is None else folder / Path(given).expanduser()
