"""Requests of operators that may be sent again: known by their rpc, their id and all that they ask for."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, TypeAlias

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.scheduler.application.administration_ports import AnsweredRequest, Request

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.queue_service_pb2 import DeleteQueueRequest, PutQueueRequest
    from flyteapi.scheduler.v1.resource_class_service_pb2 import DeleteResourceClassRequest, PutResourceClassRequest

    Message: TypeAlias = PutQueueRequest | DeleteQueueRequest | PutResourceClassRequest | DeleteResourceClassRequest

_MOST_CHARACTERS: Final = 64


def request_of(message: Message, *, at: float) -> Request:
    """How a request is known again; None without an id. Raises InvalidArgument for an id that is too long.

    Args:
        at: the present time, seconds since the epoch.
    """
    if len(message.request_id) > _MOST_CHARACTERS:
        raise InvalidArgument(
            "the request id is too long",
            reason="REQUEST_ID",
            field="request_id",
            limit=f"{_MOST_CHARACTERS} characters",
            mend="Use a UUID.",
        )
    if not message.request_id:
        return None
    content = message.DESCRIPTOR.full_name.encode() + b"\0" + message.SerializeToString(deterministic=True)
    return AnsweredRequest(mark=hashlib.sha256(content).digest(), at=at)
