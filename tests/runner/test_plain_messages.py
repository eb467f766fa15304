"""What is made of a message reads as the message does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from flyte.runner.plain_messages import from_plain, to_plain
from flyteapi.scheduler.v1.worker_service_pb2 import (
    Assign,
    Cancel,
    DeclareRun,
    DeclareTask,
    TraceRecord,
    WorkerOrder,
)
from flyteapi.task.v1.value_pb2 import Payload, PayloadReference

_ALL_BYTES = bytes(range(256))
_MOST = {
    FieldDescriptor.CPPTYPE_INT32: -(2**31),
    FieldDescriptor.CPPTYPE_INT64: -(2**63),
    FieldDescriptor.CPPTYPE_UINT32: 2**32 - 1,
    FieldDescriptor.CPPTYPE_UINT64: 2**64 - 1,
    FieldDescriptor.CPPTYPE_DOUBLE: 0.1,
    FieldDescriptor.CPPTYPE_FLOAT: 0.5,
    FieldDescriptor.CPPTYPE_BOOL: True,
    FieldDescriptor.CPPTYPE_ENUM: 1,
}


def filled(message: Message) -> Any:
    """The message with something in each of its fields."""
    for field in message.DESCRIPTOR.fields:
        if message.WhichOneof(field.containing_oneof.name) if field.containing_oneof else False:
            continue
        value = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            of_values = field.message_type.fields_by_name["value"]
            value["key"] = value["bytes"] = _scalar(of_values)
        elif field.is_repeated:
            value.extend([filled(value.add())] if field.message_type and not value else [])
            if not field.message_type:
                value.extend([_scalar(field)] * 2)
        elif field.message_type is not None:
            value.SetInParent()
            filled(value)
        else:
            setattr(message, field.name, _scalar(field))
    return message


def _scalar(field: Any) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _ALL_BYTES
    return "g\u00fct \N{SNOWMAN}" if field.type == FieldDescriptor.TYPE_STRING else _MOST[field.cpp_type]


def assert_reads_alike(message: Message, plain: Any) -> None:
    """Every field, those of messages in it too."""
    for group in message.DESCRIPTOR.oneofs:
        assert plain.WhichOneof(group.name) == message.WhichOneof(group.name)
    for field in message.DESCRIPTOR.fields:
        if field.has_presence:
            assert plain.HasField(field.name) == message.HasField(field.name)
        if not hasattr(plain, field.name):
            assert isinstance(getattr(message, field.name), Message)
            assert not message.HasField(field.name)
            continue
        expected, found = getattr(message, field.name), getattr(plain, field.name)
        if isinstance(expected, Message):
            assert_reads_alike(expected, found)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            assert len(found) == len(expected)
            for one, other in zip(expected, found, strict=True):
                assert_reads_alike(one, other)
        else:
            assert found == (dict(expected) if hasattr(expected, "items") else expected)
            assert type(found) in (dict, list) or type(found) is type(expected)


@pytest.mark.parametrize("fill", [filled, lambda message: message])
@pytest.mark.parametrize("kind", [DeclareRun, DeclareTask, Assign])
def test_it_reads_as_the_message_does(kind: type[Message], fill: Any) -> None:
    message = fill(kind())
    assert_reads_alike(message, from_plain(json.loads(json.dumps(to_plain(message)))))


@pytest.mark.parametrize(
    "order",
    [
        WorkerOrder(lease=2**64 - 1, assign=Assign(inputs=Payload(reference=PayloadReference(uri="s3://b/k")))),
        WorkerOrder(assign=Assign(traces=[TraceRecord(name="t"), TraceRecord()], secret_env={"message": b"\x00\xff"})),
        WorkerOrder(declare_run=DeclareRun(key="k", env={"bytes": "a", "map": "b", "message": "c"})),
        WorkerOrder(cancel=Cancel(reason="asked to")),
        WorkerOrder(),
    ],
)
def test_orders_read_as_they_were_given(order: WorkerOrder) -> None:
    assert_reads_alike(order, from_plain(json.loads(json.dumps(to_plain(order)))))


def test_it_cannot_be_changed_and_has_no_more_than_the_message() -> None:
    plain = from_plain(to_plain(Assign(action="a0")))
    with pytest.raises(AttributeError, match="action cannot be changed"):
        plain.action = "a1"
    with pytest.raises(AttributeError):
        plain.nothing  # noqa: B018 - what is refused


def test_what_a_worker_asks_of_every_attempt_has_defaults() -> None:
    task, assign, run = (from_plain(to_plain(message)) for message in (DeclareTask(), Assign(), DeclareRun()))
    assert (task.spec.cache.version, task.spec.image.env, task.spec.entrypoint.module) == ("", {}, "")
    assert (assign.inputs.inline, assign.inputs.HasField("reference"), run.run.name) == (b"", False, "")
