"""Messages of the cache API to values of the domain, and back."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from flyteapi.cache.v1 import cache_service_pb2 as api
from flyteapi.common.v1.identity_pb2 import Scope
from flyteapi.task.v1.value_pb2 import NamedValues, Payload, Value
from flyteplane.cache.domain.entries import Entry, EntryKey, parse_key, refuse_bad_text
from flyteplane.foundation.errors import InvalidArgument

_POSITION: Final = struct.Struct(">d")
#: Objects of one result that are looked after; of results with more of them the first so many.
MOST_OBJECTS: Final = 100
#: Kinds of values that hold others or refer to data; every other kind holds no address.
_NESTED: Final = frozenset({"list", "map", "struct", "union"})


def key_from(key: api.CacheKey) -> EntryKey:
    """A key. Raises InvalidArgument."""
    return parse_key(key.scope.project, key.scope.domain, key.digest)


def key_to(key: EntryKey) -> api.CacheKey:
    """A key as a message."""
    return api.CacheKey(scope=Scope(project=key.project, domain=key.domain), digest=key.digest)


def entry_from(message: api.CacheEntry) -> Entry:
    """A result that is to be stored. Raises InvalidArgument."""
    run = message.producer.run
    producer = (run.project, run.domain, run.name, message.producer.name)
    return Entry(
        key=key_from(message.key),
        outputs=message.outputs.SerializeToString(),
        producer="/".join(refuse_bad_text(part, field="entry.producer", without="/") for part in producer),
        task_name=refuse_bad_text(message.task_name, field="entry.task_name"),
        cache_version=refuse_bad_text(message.cache_version, field="entry.cache_version"),
        objects=tuple(dict.fromkeys(_addresses(message.outputs)))[:MOST_OBJECTS],
    )


def entry_to(entry: Entry) -> api.CacheEntry:
    """A stored result as a message."""
    message = api.CacheEntry()
    write_entry(message, entry)
    message.size_bytes = entry.size_bytes
    message.used_at.CopyFrom(timestamp(entry.used_at))
    return message


def write_entry(message: api.CacheEntry, entry: Entry) -> None:
    """Writes into a message what whoever uses a result has to know. Field by field: a run asks for thousands."""
    project, domain, run, action = entry.producer.split("/")
    key, producer = message.key, message.producer
    key.digest = entry.key.digest
    key.scope.project, key.scope.domain = entry.key.project, entry.key.domain
    message.outputs.ParseFromString(entry.outputs)
    producer.name = action
    producer.run.project, producer.run.domain, producer.run.name = project, domain, run
    message.task_name, message.cache_version = entry.task_name, entry.cache_version
    milliseconds = round(entry.created_at * 1000)
    message.created_at.seconds, message.created_at.nanos = milliseconds // 1000, milliseconds % 1000 * 1_000_000


def timestamp(seconds: float) -> Timestamp:
    """A point in time as a message, to the millisecond."""
    made = Timestamp()
    made.FromMilliseconds(round(seconds * 1000))
    return made


def seconds_of(duration: Duration, *, field: str) -> float:
    """Seconds of a duration. Raises InvalidArgument for a negative one."""
    if duration.seconds < 0 or duration.nanos < 0:
        raise InvalidArgument("a time span is never negative", field=field, limit="at least 0 s")
    return duration.seconds + duration.nanos / 1e9


def max_age_s(message: api.LookupRequest.Query | api.PutRequest.Item | api.ReserveRequest.Item) -> float | None:
    """The greatest age that counts, None for any."""
    return seconds_of(message.max_age, field="max_age") if message.HasField("max_age") else None


def token_of(entry: Entry) -> str:
    """The token of the page that begins after an entry."""
    return base64.urlsafe_b64encode(_POSITION.pack(entry.created_at) + entry.key.digest).decode()


def position_of(token: str) -> tuple[float, bytes] | None:
    """Where the page of a token begins. Raises InvalidArgument."""
    if not token:
        return None
    try:
        raw = base64.urlsafe_b64decode(token.encode())
        return _POSITION.unpack(raw[:8])[0], raw[8:]
    except (binascii.Error, struct.error, ValueError) as error:
        raise InvalidArgument("the page token was not made by this service", field="page_token") from error


def _addresses(payload: Payload) -> Iterator[str]:
    """Addresses of the data that outputs refer to. Outputs that are an object themselves are that one."""
    if payload.WhichOneof("place") == "reference":
        yield _refuse_lines(payload.reference.uri)
        return
    try:
        values = NamedValues.FromString(payload.inline)
    except DecodeError:
        return
    unvisited = [named.value for named in values.values]
    while unvisited:
        value = unvisited.pop()
        kind = value.WhichOneof("kind")
        if kind == "reference":
            if value.reference.uri:
                yield _refuse_lines(value.reference.uri)
        elif kind in _NESTED:
            unvisited.extend(_parts(value, kind))


def _parts(value: Value, kind: str | None) -> Iterator[Any]:
    if kind == "union":
        yield value.union.value
    elif kind == "list":
        yield from value.list.items
    elif kind == "struct":
        yield from (part.value for part in value.struct.fields)
    else:
        for entry in value.map.entries:
            yield from (entry.key, entry.value)


def _refuse_lines(address: str) -> str:
    if "\n" in address:
        raise InvalidArgument("an address of data is one line", field="entry.outputs")
    return address
