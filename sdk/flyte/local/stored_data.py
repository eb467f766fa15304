"""Whether the data that a kept result refers to is still on this machine.

Data of local runs lies in a temporary folder, which people and machines clean up. What lies in a remote store is taken
to be there: to look would cost a call for each result.
"""

from __future__ import annotations

from collections.abc import Iterator

from flyte.storage.locations import is_remote, local_path
from flyteapi.task.v1.value_pb2 import NamedValues, Value


def is_data_there(outputs: bytes) -> bool:
    """Tell whether everything that serialised outputs refer to can still be read."""
    return all(is_remote(uri) or local_path(uri).exists() for uri in _addresses(NamedValues.FromString(outputs)))


def _addresses(values: NamedValues) -> Iterator[str]:
    unvisited = [named.value for named in values.values]
    while unvisited:
        value = unvisited.pop()
        if value.WhichOneof("kind") == "reference":
            if value.reference.uri:
                yield value.reference.uri
        else:
            unvisited.extend(_parts(value))


def _parts(value: Value) -> Iterator[Value]:
    kind = value.WhichOneof("kind")
    if kind == "union":
        yield value.union.value
    elif kind == "list":
        yield from value.list.items
    elif kind == "struct":
        yield from (part.value for part in value.struct.fields)
    elif kind == "map":
        for entry in value.map.entries:
            yield from (entry.key, entry.value)
