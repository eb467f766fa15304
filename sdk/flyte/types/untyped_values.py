"""Values that no interface describes, such as those of traced calls, in the same bytes wherever they are written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flyte.types.codecs import codec_for
from flyteapi.task.v1.value_pb2 import NamedValues


def encode_untyped(values: Iterable[tuple[str, Any]]) -> bytes:
    """Return the named values, serialised in their order; equal values give equal bytes."""
    message = NamedValues()
    write = codec_for(Any).write
    for name, value in values:
        write(message.values.add(name=name).value, value)
    return message.SerializeToString(deterministic=True)


def decode_untyped(data: bytes) -> list[Any]:
    """Return the values that `encode_untyped` has written, in their order."""
    read = codec_for(Any).read
    return [read(named.value) for named in NamedValues.FromString(data).values]
