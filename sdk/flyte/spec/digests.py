"""What is the same: digests of inputs, interfaces, cache keys and task versions.

Both ends compute them, so they are defined on messages and need nothing of the SDK. The messages are taken as they
come: this module never imports them.

The digest of inputs is the SHA-256 of the serialised inputs in canonical form: entries of dicts and fields of records
are sorted, NaN and zero have one spelling each, and data in the object store is represented by its hash if it has one,
by its address if not. Most values are their own canonical form: the bytes that travel are then digested as they are.

These digests outlive releases: results are found under them, and children are named by them.
`tests/sdk/wire/golden_keys.json` pins them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

_NAN: Final = float("nan")
_ALREADY_CANONICAL: Final = frozenset(
    {*("none", "bool", "int", "string", "bytes", "big_int", "datetime", "duration_us"), *("ints", "strings")}
    | {"enum_name", "pickle", None}
)


def inputs_digest(values: Any, ignored: Sequence[str] = ()) -> bytes:
    """Return the digest of a NamedValues message without the ignored names: 32 bytes.

    It depends neither on the order of dicts and of fields in a class nor on which NaN a float is nor on the sign of
    zero. The message stays as it is.
    """
    if not ignored and all(_is_canonical(named.value) for named in values.values):
        return hashlib.sha256(values.SerializeToString(deterministic=True)).digest()
    canonical = type(values)()
    canonical.values.extend(named for named in values.values if named.name not in ignored)
    for named in canonical.values:
        _canonicalise(named.value)
    return hashlib.sha256(canonical.SerializeToString(deterministic=True)).digest()


def canonical_bytes(value: Any) -> bytes:
    """Return the serialised canonical form of a Value message: equal for equal values."""
    if not _is_canonical(value):
        copy = type(value)()
        copy.CopyFrom(value)
        _canonicalise(copy)
        value = copy
    serialised: bytes = value.SerializeToString(deterministic=True)
    return serialised


def interface_digest(interface: Any) -> bytes:
    """Return the digest of an Interface message: names and types of inputs and outputs, not defaults: 32 bytes."""
    inputs = sorted(interface.inputs, key=lambda parameter: str(parameter.name))
    total = hashlib.sha256()
    for group in (inputs, interface.outputs):
        _add(total, len(group).to_bytes(4, "big"))
        for parameter in group:
            for text in (parameter.name, parameter.type_name, parameter.json_schema):
                _add(total, text.encode())
    return total.digest()


def task_identity(task_name: str, interface_digest: bytes, cache_version: str) -> bytes:
    """Return what makes two calls calls of the same task, whatever image or resources it has: 32 bytes."""
    return _digest_of_parts(b"task", task_name.encode(), interface_digest, cache_version.encode())


def cache_key(task_name: str, interface_digest: bytes, cache_version: str, inputs_digest: bytes) -> bytes:
    """Return the key under which the result of a call is cached inside a project and domain: 32 bytes."""
    return _digest_of_parts(b"cache", task_name.encode(), interface_digest, cache_version.encode(), inputs_digest)


def task_digest(spec: Any) -> bytes:
    """Return the address of a TaskSpec message: the SHA-256 of its deterministic serialisation, 32 bytes."""
    return hashlib.sha256(spec.SerializeToString(deterministic=True)).digest()


def _is_canonical(value: Any) -> bool:
    kind = value.WhichOneof("kind")
    if kind in _ALREADY_CANONICAL:
        return True
    if kind == "union":
        return _is_canonical(value.union.value)
    if kind == "struct":
        return _in_order(value.struct.fields) and all(_is_canonical(part.value) for part in value.struct.fields)
    if kind == "list":
        return all(_is_canonical(item) for item in value.list.items)
    if kind == "float":
        number = value.float
        return bool(number == number and number != 0.0)
    return kind == "map" and not value.map.entries


def _canonicalise(value: Any) -> None:
    kind = value.WhichOneof("kind")
    if kind == "float":
        value.float = _canonical_float(value.float)
    elif kind == "floats":
        _canonicalise_floats(value.floats.items)
    elif kind == "map":
        _canonicalise_entries(value.map)
    elif kind == "reference":
        _canonicalise_reference(value.reference)
    elif kind == "union":
        _canonicalise(value.union.value)
    elif kind == "struct":
        for part in value.struct.fields:
            _canonicalise(part.value)
        value.struct.fields.sort(key=_name)
    elif kind == "list":
        for item in value.list.items:
            _canonicalise(item)


def _in_order(fields: Any) -> bool:
    names = [str(part.name) for part in fields]
    return names == sorted(names)


def _name(part: Any) -> str:
    return str(part.name)


def _canonical_float(number: float) -> float:
    if number != number:
        return _NAN
    return number or 0.0


def _canonicalise_floats(numbers: Any) -> None:
    if 0.0 in numbers or any(number != number for number in numbers):
        canonical = [_canonical_float(number) for number in numbers]
        del numbers[:]
        numbers.extend(canonical)


def _canonicalise_entries(mapping: Any) -> None:
    for entry in mapping.entries:
        _canonicalise(entry.key)
        _canonicalise(entry.value)
    mapping.entries.sort(key=lambda entry: entry.SerializeToString(deterministic=True))


def _canonicalise_reference(reference: Any) -> None:
    """Leave only what says which data it is."""
    kind, uri, digest = reference.type, reference.uri, reference.hash
    reference.Clear()
    reference.type = kind
    if digest:
        reference.hash = digest
    else:
        reference.uri = uri


def _digest_of_parts(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(map(_with_length, parts))).digest()


def _with_length(part: bytes) -> bytes:
    # The length keeps ("ab", "c") and ("a", "bc") apart.
    return len(part).to_bytes(8, "big") + part


def _add(total: Any, part: bytes) -> None:
    total.update(_with_length(part))
