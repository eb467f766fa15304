"""The HTML report of an attempt, as it was last written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyte.errors import RuntimeUserError
from flyte.remote.payloads import fetch_object

if TYPE_CHECKING:
    from flyte.client.channel import Connection
    from flyte.remote.action import ActionDetails

_NAME: Final = "report.html"


async def fetch_report(platform: Connection, action: ActionDetails, *, attempt: int | None) -> str:
    """Return the page of an attempt, counted from 1; by default that of the latest.

    Raises RuntimeUserError if the action has no such attempt, or that has written no report.
    """
    states = {state.attempt: state for state in action.attempt_states}
    chosen = states.get(attempt if attempt is not None else max(states, default=0))
    if chosen is None:
        raise RuntimeUserError(
            "AttemptNotFound", f"Action {action.name} has no attempt {attempt or 1}: {len(states)} were made."
        )
    try:
        return (await fetch_object(platform, f"{chosen.data_prefix}{_NAME}")).decode()
    except RuntimeUserError as error:
        if error.code != "NotFound":
            raise
        how = "It has written none yet." if action.task.report else "Its task has none: set report=True."
        raise RuntimeUserError(
            "ReportNotFound", f"Attempt {chosen.attempt} of action {action.name} has no report. {how}"
        ) from None
