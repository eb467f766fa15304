"""What every object of the platform has in common: it can be shown to programs as plain data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.message import Message


class MessageView:
    """Plain data of the message behind an object."""

    def _shown(self) -> Message:
        message: Message = getattr(self, "message")  # noqa: B009 - subclasses have it as attribute or property
        return message

    def to_dict(self) -> dict[str, Any]:
        """Return everything that the platform said of it, as plain values with the field names of the API."""
        from google.protobuf.json_format import MessageToDict

        shown: dict[str, Any] = MessageToDict(self._shown(), preserving_proto_field_name=True)
        return shown

    def to_json(self) -> str:
        """Return the same as JSON text."""
        return json.dumps(self.to_dict())
