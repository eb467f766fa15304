"""Telling a web address that somebody is asked. At least once: an attempt that asks again tells again."""

from __future__ import annotations

import json

from flyte.authoring.condition import Question
from flyte.authoring.web_request import send_web_request
from flyte.errors import ConditionFailedError


def tell_webhook(question: Question) -> None:
    """Post the question to its webhook, if it has one. Blocks. Raises ConditionFailedError if it cannot be told."""
    webhook = question.webhook
    if webhook is None:
        return
    default = {"condition": question.name, "prompt": question.prompt}
    body = json.dumps(webhook.payload if webhook.payload is not None else default).encode()
    try:
        send_web_request(webhook.url, body=body)
    except OSError as error:
        raise ConditionFailedError(f"The webhook {webhook.url} cannot be told of {question.name!r}: {error}") from None
