"""What every object of the platform has in common: it can be shown to programs as plain data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from google.protobuf.message import Message


_FACTS: Final = ("id", "name", "version", "run_name", "task_name", "phase", "is_active", "scope", "archived", "url")
"""Attributes that `rich` shows, in this order."""


class MessageView:
    """Plain data of the message behind an object."""

    def _shown(self) -> Message:
        message: Message = getattr(self, "message")  # noqa: B009 - subclasses have it as attribute or property
        return message

    @property
    def pb2(self) -> Any:
        """The message of this platform's API, under the name that programs for the peer SDK know."""
        return self._shown()

    def __rich_repr__(self) -> Iterator[tuple[str, Any]]:
        """Yield what `rich` shows: the facts that people look for first, as far as this object has them."""
        for name in _FACTS:
            if (value := getattr(self, name, None)) is not None and not callable(value):
                yield name, value

    def to_dict(self) -> dict[str, Any]:
        """Return everything that the platform said of it, as plain values with the field names of the API."""
        from google.protobuf.json_format import MessageToDict

        shown: dict[str, Any] = MessageToDict(self._shown(), preserving_proto_field_name=True)
        return shown

    def to_json(self) -> str:
        """Return the same as JSON text."""
        return json.dumps(self.to_dict())
