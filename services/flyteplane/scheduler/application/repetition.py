"""Requests of operators that may be sent again: known by their rpc, their id and all that they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from flyteplane.foundation.repetition import mark_of
from flyteplane.scheduler.application.administration_ports import AnsweredRequest, Request

if TYPE_CHECKING:
    from flyteapi.scheduler.v1.queue_service_pb2 import DeleteQueueRequest, PutQueueRequest
    from flyteapi.scheduler.v1.resource_class_service_pb2 import DeleteResourceClassRequest, PutResourceClassRequest

    Message: TypeAlias = PutQueueRequest | DeleteQueueRequest | PutResourceClassRequest | DeleteResourceClassRequest


def request_of(message: Message, *, at: float) -> Request:
    """How a request is known again; None without an id. Raises InvalidArgument for an id that is none.

    Args:
        at: the present time, seconds since the epoch.
    """
    content = message.SerializeToString(deterministic=True)
    mark = mark_of(message.DESCRIPTOR.full_name, message.request_id, content=content)
    return AnsweredRequest(mark=mark, at=at) if mark is not None else None
