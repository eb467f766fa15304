"""What the operator says of notifications: how mail is sent, where web requests may go, and what is set up by name."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from flyteplane.admin.domain.notification import Deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """The server that takes mails."""

    host: str
    port: int
    sender: str
    """The address in whose name they are sent."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    """Empty: the server asks for none."""
    password_file: Path | None = None
    ca_file: Path | None = None
    """Of an authority that is believed instead of the machine's."""

    def password(self) -> str:
        """The password as it is now. Raises OSError."""
        return self.password_file.read_text().strip() if self.password_file is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationOptions:
    """The section `notifications` of the operator's file."""

    mail_server: MailServer | None = None
    mail_folder: Path | None = None
    """Where mails are written while there is no server; None: nowhere, and none are taken."""
    deliveries: Deliveries = field(default_factory=Deliveries)

    @property
    def usable(self) -> Deliveries:
        """The deliveries, with what is known of mail."""
        return replace(self.deliveries, sends_mail=self.mail_server is not None or self.mail_folder is not None)
