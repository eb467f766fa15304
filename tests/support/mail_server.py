"""A mail server that keeps what it took, and refuses what it is told to."""

from __future__ import annotations

import socketserver
from dataclasses import dataclass, field

from tests.support.threaded_server import ThreadedServer


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """One mail: who sends it to whom, and what it says."""

    sender: str
    recipients: tuple[str, ...]
    text: str


@dataclass
class MailServer(ThreadedServer):
    """Speaks as much SMTP as a client needs. `refusal` is the answer to each recipient. Used as a context."""

    mails: list[ReceivedMail] = field(default_factory=list)
    refusal: str = ""

    def make(self) -> socketserver.ThreadingTCPServer:
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                owner._talk(self)

        return socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)

    def _talk(self, talk: socketserver.StreamRequestHandler) -> None:
        sender, recipients = "", list[str]()

        def answer(words: str) -> None:
            talk.wfile.write(f"{words}\r\n".encode())

        answer("220 here")
        while line := talk.rfile.readline().decode().strip():
            verb, _, address = line.partition("<")
            verb = verb.upper()
            if verb == "MAIL FROM:":
                sender, recipients = address.rstrip(">").partition(">")[0], []
            elif verb == "RCPT TO:" and self.refusal:
                answer(self.refusal)
                continue
            elif verb == "RCPT TO:":
                recipients.append(address.rstrip(">"))
            elif verb == "DATA":
                answer("354 go on")
                self.mails.append(ReceivedMail(sender, tuple(recipients), _text(talk)))
            elif verb == "QUIT":
                answer("221 bye")
                return
            answer("250 well")


def _text(talk: socketserver.StreamRequestHandler) -> str:
    lines: list[str] = []
    while (line := talk.rfile.readline().decode().rstrip("\r\n")) != ".":
        lines.append(line)
    return "\n".join(lines)
