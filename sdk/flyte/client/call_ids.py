"""Ids of requests: whoever asks again under the same id is given the same answer, and nothing is done twice."""

from __future__ import annotations

import uuid


def new_request_id() -> str:
    """Return an id for one request, which nobody can guess."""
    return uuid.uuid4().hex
