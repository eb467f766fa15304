"""What is sent at the end of a run, in local runs and on a platform alike."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.semantics.conftest import Place
from tests.semantics.programs import calling, trouble
from tests.support.web_receiver import WebReceiver

import flyte.errors
from flyte import notify
from flyte.models import ActionPhase

FAILED, SUCCEEDED = ActionPhase.FAILED, ActionPhase.SUCCEEDED


@pytest.fixture
def receiver() -> Iterator[WebReceiver]:
    with WebReceiver() as opened:
        yield opened


def test_the_end_of_a_run_is_told_to_those_who_asked_for_it(place: Place, receiver: WebReceiver) -> None:
    asked = (
        notify.Slack(on_phase=SUCCEEDED, webhook_url=receiver.url),
        notify.Teams(on_phase=(FAILED, SUCCEEDED), webhook_url=receiver.url, title="{{.Phase}}", message="done"),
        notify.Webhook(on_phase=FAILED, url=receiver.url),
    )
    place.run(calling.double, 3, name="told", notifications=asked)
    slack, teams = sorted((one.json for one in receiver.wait_for(2)), key=lambda body: "text" not in body)
    assert slack == {"text": "Run told SUCCEEDED"}
    assert [block["text"] for block in teams["attachments"][0]["content"]["body"]] == ["SUCCEEDED", "done"]
    assert len(receiver.received) == 2


def test_a_failure_is_told_with_its_error(place: Place, receiver: WebReceiver) -> None:
    said: dict[str, Any] = {"what": "{{.Phase}} {{.Error}}", "run": ["{{.Run.Task}}"]}
    asked = notify.Webhook(on_phase=FAILED, url=receiver.url, method="PUT", headers={"X-A": "b"}, body=said)
    with pytest.raises((RuntimeError, flyte.errors.RuntimeUserError)):
        place.result(trouble.fails, "own", notifications=asked)
    (told,) = receiver.wait_for(1)
    assert (told.method, told.headers["X-A"]) == ("PUT", "b")
    assert told.json == {"what": "FAILED StockError: nothing left", "run": ["trouble.fails"]}


def test_a_mail_is_a_file_where_no_server_is_known(place: Place) -> None:
    mail = notify.Email(on_phase=SUCCEEDED, recipients=("a@example.org",), subject="{{.Run.Name}} is over")
    run = place.run(calling.double, 3, name="mailed", notifications=mail)
    deadline = time.monotonic() + 60.0
    while not (written := list(place.mail_folder(run).glob("*.eml"))):
        assert time.monotonic() < deadline, "no mail was written"
        time.sleep(0.02)
    assert "Subject: mailed is over" in written[0].read_text()
