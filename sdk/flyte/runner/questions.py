"""Questions of an attempt to people: each is a child action that waits for its answer on the platform."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from flyte.authoring.condition import ConditionTask
from flyte.errors import BaseRuntimeError, ConditionFailedError, ConditionTimedoutError

if TYPE_CHECKING:
    from flyte.authoring.condition import Question
    from flyte.runner.controller import AttemptController

_TIMED_OUT: Final = "DeadlineExceededError"


async def ask_people(controller: AttemptController, question: Question) -> str:
    """Return what was answered, as text. Raises ConditionTimedoutError, ConditionFailedError."""
    if question.webhook is not None:
        from flyte.authoring.condition_webhook import tell_webhook

        await asyncio.to_thread(tell_webhook, question)
    try:
        return str(await controller.submit(ConditionTask(question), (), {}))
    except BaseRuntimeError as error:
        if error.code == _TIMED_OUT:
            raise ConditionTimedoutError(
                f"Nobody answered the condition {question.name!r} within {question.timeout_s:g} s."
            ) from None
        raise ConditionFailedError(f"The condition {question.name!r} has no answer: {error}") from error
