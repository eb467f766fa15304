"""Brings mails to the operator's mail server, or into a folder where there is none.

The id of a mail is that of its notification, so that mail programs show one that came twice once.
"""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Final

from flyte.spec.notifications import Ending, Mail, message_of
from flyteplane.admin.application.notification_ports import NotTaken
from flyteplane.admin.notifications import MailServer
from flyteplane.foundation.folders import flush_folder

_TIMEOUT_S: Final = 10.0
#: What a server answers to a name and password that are wrong: for the operator to mend, so it is tried again.
_BAD_LOGIN: Final = 535


class ServerMailCourier:
    """See `notification_ports.Courier`; for mails only."""

    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def bring(self, delivery: Mail, ending: Ending, *, name: str) -> None:
        server = self._server
        message_id = f"<{name}@{server.sender.rpartition('@')[2]}>"
        message = message_of(delivery, ending, sender=server.sender, message_id=message_id)
        await asyncio.to_thread(self._send, message, [*delivery.recipients, *delivery.cc, *delivery.bcc])

    def _send(self, message: EmailMessage, recipients: list[str]) -> None:
        try:
            with self._connected() as connection:
                connection.send_message(message, to_addrs=recipients)
        except smtplib.SMTPRecipientsRefused as refused:
            code, words = next(iter(refused.recipients.values()))
            raise NotTaken(f"the mail server refuses the recipients: {_text(words)}", for_good=code >= 500) from None
        except smtplib.SMTPResponseException as answer:
            for_good = answer.smtp_code >= 500 and answer.smtp_code != _BAD_LOGIN
            raise NotTaken(f"the mail server answers {_text(answer.smtp_error)}", for_good=for_good) from None
        except (smtplib.SMTPException, OSError) as problem:
            raise NotTaken(f"the mail server cannot be used: {problem}") from None

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        if server.security == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=_TIMEOUT_S, context=self._trusted()
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT_S)
        try:
            if server.security == "starttls":
                connection.starttls(context=self._trusted())
            if server.user:
                connection.login(server.user, server.password())
        except BaseException:
            connection.close()
            raise
        return connection

    def _trusted(self) -> ssl.SSLContext:
        authority = self._server.ca_file
        return ssl.create_default_context(cafile=str(authority) if authority is not None else None)


class FolderMailCourier:
    """Writes each mail as a file NAME.eml, which mail programs open. For a platform on one's own machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def bring(self, delivery: Mail, ending: Ending, *, name: str) -> None:
        message = message_of(delivery, ending, sender="flyteplane@localhost", message_id=f"<{name}@localhost>")
        if delivery.bcc:
            message["Bcc"] = ", ".join(delivery.bcc)
        try:
            await asyncio.to_thread(self._write, name, bytes(message))
        except OSError as problem:
            raise NotTaken(f"the mail cannot be written: {problem}") from None

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        unfinished = self._folder / f".{name}.eml"
        unfinished.write_bytes(content)
        unfinished.chmod(0o600)
        unfinished.replace(self._folder / f"{name}.eml")
        flush_folder(self._folder)


def _text(words: bytes | str) -> str:
    return words.decode(errors="replace") if isinstance(words, bytes) else words
