"""Notifications are checked where they are written, and become messages of the platform."""

from __future__ import annotations

import socketserver
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from tests.support.threaded_server import ThreadedServer

import flyte
from flyte import notify
from flyte.client.notifications import set_notifications
from flyte.models import ActionPhase
from flyteapi.common.v1.phase_pb2 import PHASE_SUCCEEDED
from flyteapi.scheduler.v1.scheduler_service_pb2 import RunSettings

FAILED = ActionPhase.FAILED
#: What the standard library fails on when it writes them into a header.
UNWRITABLE = ("\\*@[c^", "(x@b`a~):=", "=?utf-8?q?c=0a?=@x.y", "(&&=).@.")
URL = "https://example.org/hook"


def test_one_phase_and_several_are_kept_as_several() -> None:
    assert notify.NamedDelivery(on_phase=FAILED, name="ops").on_phase == (FAILED,)
    both = (FAILED, ActionPhase.TIMED_OUT)
    assert notify.Slack(on_phase=both, webhook_url=URL, message="m").on_phase == both


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: notify.Notification(on_phase=()), "at least one phase"),
        *((partial(notify.Email, on_phase=FAILED, recipients=(one,)), "mail address") for one in UNWRITABLE),
        (lambda: notify.Notification(on_phase=ActionPhase.RUNNING), "end a run"),
        (lambda: notify.Notification(on_phase="failed"), "ActionPhase"),  # type: ignore[arg-type]
        (lambda: notify.Email(on_phase=FAILED, recipients=()), "recipient"),
        (lambda: notify.Email(on_phase=FAILED, recipients=("nobody",)), "mail address"),
        (lambda: notify.Slack(on_phase=FAILED, webhook_url="example.org"), "webhook_url"),
        (lambda: notify.Teams(on_phase=FAILED, webhook_url="ftp://example.org"), "webhook_url"),
        (lambda: notify.Webhook(on_phase=FAILED, url=""), "url"),
        (lambda: notify.Webhook(on_phase=FAILED, url=URL, method="SEND"), "method"),  # type: ignore[arg-type]
        (lambda: notify.NamedRule(""), "name"),
    ],
)
def test_what_could_never_be_sent_is_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        make()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("a@example.org", "Notification"),
        (notify.Notification(on_phase=FAILED), "what is sent"),
        ((notify.NamedDelivery(on_phase=FAILED, name="n"),) * 33, "32"),
    ],
)
def test_runs_and_triggers_refuse_what_is_no_notification(given: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        flyte.with_runcontext(notifications=given)
    with pytest.raises((ValueError, TypeError), match=words):
        flyte.Trigger("t", flyte.Cron("0 6 * * *"), notifications=given)


def test_every_kind_becomes_a_message_and_a_recovered_run_is_one_that_has_succeeded() -> None:
    settings = RunSettings()
    both = (ActionPhase.SUCCEEDED, ActionPhase.RECOVERED)
    mail = notify.Email(on_phase=both, recipients=("a@example.org",), html_body="<p>")
    named = notify.NamedDelivery(on_phase=FAILED, name="ops")
    set_notifications(settings, (mail, notify.Teams(on_phase=FAILED, webhook_url=URL, card={"a": 1}), named))
    first, teams, last = settings.notifications
    assert (list(first.on_phases), first.mail.html_body, last.named) == ([PHASE_SUCCEEDED], "<p>", "ops")
    assert '"content": {"a": 1}' in teams.web_request.body
    set_notifications(settings, notify.NamedRule("night"))
    assert settings.notification_rule == "night"


def test_a_local_run_says_what_it_could_not_send_and_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    env = flyte.TaskEnvironment("told")

    @env.task
    async def main() -> int:
        return 1

    nobody = notify.Webhook(on_phase=ActionPhase.SUCCEEDED, url="http://127.0.0.1:9/secret")
    named = notify.NamedDelivery(on_phase=ActionPhase.SUCCEEDED, name="ops")
    run = flyte.with_runcontext("local", notifications=(nobody, named)).run(main)
    assert run.outputs()[0] == 1
    assert "POST 127.0.0.1 was not taken" in caplog.text
    assert "knows no delivery 'ops'" in caplog.text
    assert "secret" not in caplog.text


class NoHttp(ThreadedServer):
    """Answers with something else."""

    def make(self) -> socketserver.TCPServer:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.rfile.readline()
                self.wfile.write(b"220 mail here\r\n")

        return socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)


def test_an_answer_that_is_no_http_fails_no_local_run(caplog: pytest.LogCaptureFixture) -> None:
    env = flyte.TaskEnvironment("told_of_no_http")

    @env.task
    async def main() -> int:
        return 1

    with NoHttp() as server:
        hook = notify.Webhook(on_phase=ActionPhase.SUCCEEDED, url=f"http://127.0.0.1:{server.port}/")
        assert flyte.with_runcontext("local", notifications=hook).run(main).outputs()[0] == 1
    assert "no HTTP" in caplog.text
