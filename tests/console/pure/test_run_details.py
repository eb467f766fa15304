"""What the page of a run says beside its row."""

from __future__ import annotations

from flyteapi.admin.v1.run_service_pb2 import GetRunResponse
from flyteapi.common.v1.notification_pb2 import NotificationState
from flyteapi.common.v1.phase_pb2 import PHASE_FAILED, PHASE_TIMED_OUT
from flyteplane.console.views.runs import run_details


def test_who_is_told_of_the_end_is_shown_with_how_far_that_is() -> None:
    found = GetRunResponse()
    found.run.notifications.append(
        NotificationState(
            target="POST hooks.example.org",
            on_phases=[PHASE_FAILED, PHASE_TIMED_OUT],
            state=NotificationState.STATE_GIVEN_UP,
            last_error="the receiver answers 404",
        )
    )
    told = dict(run_details(found, repeated_by=(), request_id="r").settings)["Tells"]
    assert told.lower() == "post hooks.example.org when failed or timed out (given up, the receiver answers 404)"
