"""Messages as plain values: what a worker is told first, so that a task begins before protobuf is loaded.

Loading it takes as long as a bare interpreter. The agent of a pod has loaded it anyway, to speak with a scheduler, and
passes the worker's first orders on as JSON. What is made of that reads as the messages do: by the names of the fields,
with defaults for values that are not set, by `HasField` and `WhichOneof`. It cannot be changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from google._upb._message import FieldDescriptor as NativeFieldDescriptor
    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

    Field = FieldDescriptor | NativeFieldDescriptor

_ASKED_ANYWAY: Final = frozenset({"cache", "entrypoint", "image", "inputs", "run", "spec"})
"""Messages whose fields are asked for without a look whether they are set. Others are left out where they are not: to
go through them would take longer than all the rest."""
_BYTES, _MAP, _MESSAGE, _SET, _ONE_OF = "bytes", "map", "message", "set", "one_of"


class PlainMessage:
    """What a message says.

    Args:
        fields: all that can be asked for.
        present: names of the fields that are set.
        one_of: which field is set of each group of which one can be.
    """

    def __init__(self, fields: Mapping[str, Any], *, present: list[str], one_of: Mapping[str, str]) -> None:
        vars(self).update(fields, _present=frozenset(present), _one_of=one_of)

    def HasField(self, name: str) -> bool:
        """Whether the field is set."""
        return name in vars(self)["_present"]

    def WhichOneof(self, group: str) -> str | None:
        """The field of the group that is set."""
        found: str | None = vars(self)["_one_of"].get(group)
        return found

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name} cannot be changed: this is only what a message said")


def to_plain(message: Message) -> Any:
    """A message as JSON can hold it."""
    present = [field.name for field, _ in message.ListFields()]
    groups = message.DESCRIPTOR.oneofs
    fields = {
        field.name: _plain(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if field.name in present or field.message_type is None or field.is_repeated or field.name in _ASKED_ANYWAY
    }
    one_of = {group.name: name for group in groups if (name := message.WhichOneof(group.name)) is not None}
    return {_MESSAGE: fields, _SET: present, _ONE_OF: one_of}


def _plain(field: Field, value: Any) -> Any:
    # The field's options say it too, and to ask for them loads protobuf's description of itself.
    if field.is_repeated and field.message_type is not None and hasattr(value, "items"):
        of_values = field.message_type.fields_by_name["value"]
        return {_MAP: {key: _plain_item(of_values, item) for key, item in value.items()}}
    if field.is_repeated:
        return [_plain_item(field, item) for item in value]
    return _plain_item(field, value)


def _plain_item(field: Field, value: Any) -> Any:
    if field.message_type is not None:
        return to_plain(value)
    return {_BYTES: value.decode("latin-1")} if isinstance(value, bytes) else value


def from_plain(value: Any) -> Any:
    """What reads as the message from which `to_plain` has made this."""
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _BYTES in value:
        return value[_BYTES].encode("latin-1")
    if _MAP in value:
        return {key: from_plain(item) for key, item in value[_MAP].items()}
    fields = {name: from_plain(item) for name, item in value[_MESSAGE].items()}
    return PlainMessage(fields, present=value[_SET], one_of=value[_ONE_OF])
