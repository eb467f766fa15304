"""Notifications are checked where they are written, and refused where nothing would send them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import flyte
from flyte import notify
from flyte.models import ActionPhase
from flyte.spec.triggers import check_trigger

FAILED = ActionPhase.FAILED
URL = "https://example.org/hook"


def test_one_phase_and_several_are_kept_as_several() -> None:
    assert notify.NamedDelivery(on_phase=FAILED, name="ops").on_phase == (FAILED,)
    both = (FAILED, ActionPhase.TIMED_OUT)
    assert notify.Slack(on_phase=both, webhook_url=URL, message="m").on_phase == both


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: notify.Notification(on_phase=()), "at least one phase"),
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


def test_runs_and_triggers_that_ask_for_them_are_refused() -> None:
    mail = notify.Email(on_phase=FAILED, recipients=("a@example.org",))
    with pytest.raises(TypeError, match="notifications"):
        flyte.with_runcontext(notifications=mail)
    with pytest.raises(ValueError, match="notifications"):
        check_trigger(flyte.Trigger("t", flyte.Cron("0 6 * * *"), notifications=mail))
