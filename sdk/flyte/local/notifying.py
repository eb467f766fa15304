"""Sends the notifications of a local run when it has ended.

Nobody is there to try again later: what is not taken at once is told by a warning, and changes nothing of the run.
Mails are written into the folder of the run, because a program does not know a mail server.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flyte.authoring.web_request import send_web_request
from flyte.spec.notification_kinds import NamedRule, checked_notifications
from flyte.spec.notifications import (
    Delivery,
    Ending,
    Mail,
    NamedDelivery,
    WebRequest,
    message_of,
    request_body,
    shown_target,
)
from flyte.spec.phases import ActionPhase

if TYPE_CHECKING:
    from flyte.local.settings import LocalRunSettings
    from flyte.spec.notification_kinds import Notifications

_log: Final = logging.getLogger("flyte")
_SENDER: Final = "flyte@localhost"


def send_notifications(
    given: Notifications, run: LocalRunSettings, *, task_name: str, phase: ActionPhase, error: str = ""
) -> None:
    """Send what was asked for at this end of a run. Blocks. Raises nothing of what could not be sent."""
    if isinstance(given, NamedRule):
        _log.warning("A local run knows no rule %r of a platform: nobody is told of its end.", given.name)
    ending = Ending(
        run=run.name,
        project=run.project,
        domain=run.domain,
        task=task_name,
        phase=phase.name,
        error=error,
        url=run.folder,
    )
    for position, notification in enumerate(checked_notifications(given)):
        if phase not in notification.phases:
            continue
        delivery = notification.delivery()
        try:
            _send(delivery, ending, folder=Path(run.folder), name=f"{run.name}.{position}")
        except OSError as problem:
            target = "it" if delivery is None else shown_target(delivery)
            _log.warning("Run %s has ended; %s was not taken: %s", run.name, target, problem)


def _send(delivery: Delivery | None, ending: Ending, *, folder: Path, name: str) -> None:
    match delivery:
        case Mail() as mail:
            path = folder / "mail" / f"{name}.eml"
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(bytes(message_of(mail, ending, sender=_SENDER, message_id=f"<{name}@localhost>")))
            _log.info("A local run sends no mail: that of its end is in %s", path)
        case WebRequest() as request:
            headers = {"Idempotency-Key": name, **request.headers}
            body = request_body(request, ending)
            send_web_request(request.url, method=request.method, headers=headers, body=body)
        case NamedDelivery(known_as):
            _log.warning("A local run knows no delivery %r of a platform: nobody is told of its end.", known_as)
