"""Mails reach the operator's server, or a folder, and what is wrong is told apart from what passes."""

from __future__ import annotations

from email import message_from_bytes
from pathlib import Path

import pytest
from tests.support.mail_server import MailServer as ServerUnderTest

from flyte.spec.notifications import Ending, Mail
from flyteplane.admin.application.notification_ports import NotTaken
from flyteplane.admin.clients.mail_courier import FolderMailCourier, ServerMailCourier
from flyteplane.admin.clients.web_courier import is_forbidden
from flyteplane.admin.notifications import MailServer

MAIL = Mail(
    recipients=("a@example.org", "b@example.org"),
    bcc=("boss@example.org",),
    subject="{{.Run.Name}}: {{.Error}}",
    body="See {{.Run.Url}}",
    html_body="<p>{{.Error}}</p>",
)
ENDING = Ending(
    run="r1", project="p", domain="d", task="e.f", phase="FAILED", error="E: <b>\nsecond", url="https://c/r1"
)


def courier(port: int) -> ServerMailCourier:
    return ServerMailCourier(MailServer(host="127.0.0.1", port=port, sender="runs@example.org", security="none"))


async def test_a_mail_reaches_all_its_receivers_and_shows_only_those_it_should() -> None:
    with ServerUnderTest() as server:
        await courier(server.port).bring(MAIL, ENDING, name="p.d.r1.0")
    (mail,) = server.mails
    assert (mail.sender, mail.recipients) == ("runs@example.org", (*MAIL.recipients, *MAIL.bcc))
    assert "boss" not in mail.text
    assert "Subject: r1: E: <b> second" in mail.text
    assert "Message-ID: <p.d.r1.0@example.org>" in mail.text
    assert "See https://c/r1" in mail.text
    assert "<p>E: &lt;b&gt;" in mail.text


@pytest.mark.parametrize(("refusal", "for_good"), [("550 unknown here", True), ("451 later", False)])
async def test_a_refusal_of_the_server_is_for_good_or_passes(refusal: str, for_good: bool) -> None:
    with ServerUnderTest(refusal=refusal) as server, pytest.raises(NotTaken) as problem:
        await courier(server.port).bring(MAIL, ENDING, name="n")
    assert problem.value.for_good is for_good
    assert refusal.partition(" ")[2] in str(problem.value)


async def test_a_server_that_is_away_is_tried_again() -> None:
    with ServerUnderTest() as server:
        port = server.port
    with pytest.raises(NotTaken) as problem:
        await courier(port).bring(MAIL, ENDING, name="n")
    assert not problem.value.for_good


async def test_a_folder_holds_one_file_a_mail_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    for _ in range(2):
        await FolderMailCourier(folder).bring(MAIL, ENDING, name="n")
    (file,) = folder.iterdir()
    assert message_from_bytes(file.read_bytes())["Bcc"] == "boss@example.org"
    assert (file.name, file.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == ("n.eml", 0o600, 0o700)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1%eth0", "::ffff:169.254.169.254"])
def test_addresses_where_clouds_tell_of_the_machine_are_forbidden(address: str) -> None:
    assert is_forbidden(address)
    assert not is_forbidden("10.0.0.1")
