"""Telling a web address that somebody is asked. At least once: an attempt that asks again tells again."""

from __future__ import annotations

import json
import urllib.request
from typing import Final

from flyte.authoring.condition import Question
from flyte.errors import ConditionFailedError

_TIMEOUT_S: Final = 10.0


def tell_webhook(question: Question) -> None:
    """Post the question to its webhook, if it has one. Blocks. Raises ConditionFailedError if it cannot be told."""
    webhook = question.webhook
    if webhook is None:
        return
    default = {"condition": question.name, "prompt": question.prompt}
    body = json.dumps(webhook.payload if webhook.payload is not None else default).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(webhook.url, data=body, headers=headers, method="POST")
    try:
        urllib.request.urlopen(request, timeout=_TIMEOUT_S).close()
    except OSError as error:
        raise ConditionFailedError(f"The webhook {webhook.url} cannot be told of {question.name!r}: {error}") from None
