"""Rules for the inputs of a run: what the task needs is there, what it does not know is not, and plain values have
the right type. Everything deeper is the worker's business, which has the annotations.

Inputs that lie in the object store are not fetched for this; their size is checked.
"""

import json
from functools import lru_cache
from typing import Final

from google.protobuf.message import DecodeError

from flyteapi.task.v1.interface_pb2 import Parameter
from flyteapi.task.v1.task_spec_pb2 import TaskSpec
from flyteapi.task.v1.value_pb2 import NamedValues, Payload, Value
from flyteplane.foundation.errors import InvalidArgument

MOST_INLINE_BYTES: Final = 256 * 1024
_DIGEST_BYTES: Final = 32
#: JSON Schema type -> kinds of `Value` that fit. Types that several Python types share are left to the worker.
_KINDS_OF: Final = {
    "integer": frozenset({"int", "big_int", "bool", "enum_name", "pickle"}),
    "number": frozenset({"float", "int", "big_int", "bool", "enum_name"}),
    "boolean": frozenset({"bool"}),
    "string": frozenset({"string", "enum_name", "pickle"}),
    "null": frozenset({"none"}),
}
#: What a schema must not have for its type alone to decide.
_REFINEMENTS: Final = ("anyOf", "oneOf", "allOf", "enum", "format", "contentEncoding", "contentMediaType", "$ref")


def check_inputs(inputs: Payload, *, spec: TaskSpec, digest: bytes) -> None:
    """Check inputs against the interface of their task. Raises InvalidArgument."""
    if digest and len(digest) != _DIGEST_BYTES:
        raise InvalidArgument("a digest has 32 bytes", reason="INPUTS_DIGEST", field="inputs_digest")
    place = inputs.WhichOneof("place")
    if place == "reference":
        _check_size(inputs.reference.size_bytes, spec=spec)
        return
    _check_size(len(inputs.inline), spec=spec)
    if len(inputs.inline) > MOST_INLINE_BYTES:
        raise InvalidArgument(
            f"the inputs have {len(inputs.inline)} bytes",
            reason="INPUTS_TOO_LARGE",
            field="inputs.inline",
            limit="256 KiB inline",
            mend="Upload them and send a reference.",
        )
    _check_values(_opened(inputs.inline), spec=spec)


def _check_size(size: int, *, spec: TaskSpec) -> None:
    most = spec.max_inline_io_bytes
    if most and size > most:
        raise InvalidArgument(
            f"the inputs have {size} bytes",
            reason="INPUTS_TOO_LARGE",
            field="inputs",
            limit=f"max_inline_io_bytes={most}",
            mend="Pass large data as flyte.io.File or Dir, or raise max_inline_io_bytes of the task.",
        )


def _opened(content: bytes) -> NamedValues:
    try:
        return NamedValues.FromString(content)
    except DecodeError:
        raise InvalidArgument(
            "the inputs cannot be read: they are no NamedValues, or nested too deeply",
            reason="INPUTS_MALFORMED",
            field="inputs.inline",
            mend="Send a serialised flyteapi.task.v1.NamedValues.",
        ) from None


def _check_values(values: NamedValues, *, spec: TaskSpec) -> None:
    parameters = {parameter.name: parameter for parameter in spec.interface.inputs}
    given: set[str] = set()
    for entry in values.values:
        if entry.name not in parameters:
            raise _refusal(entry.name, f"the task {spec.name} has no input {entry.name!r}", _known(spec))
        if entry.name in given:
            raise _refusal(entry.name, f"the input {entry.name!r} is given twice", "Give it once.")
        given.add(entry.name)
        _check_kind(entry.value, parameter=parameters[entry.name])
    missing = [name for name, parameter in parameters.items() if parameter.required and name not in given]
    if missing:
        names = ", ".join(repr(name) for name in missing)
        raise _refusal(
            missing[0], f"the task {spec.name} needs the input {names}", "Give every input without a default."
        )


def _check_kind(value: Value, *, parameter: Parameter) -> None:
    kind = value.WhichOneof("kind")
    if kind is None:
        raise _refusal(parameter.name, f"the input {parameter.name!r} has no value", "Send a value; None is one too.")
    fitting = _fitting_kinds(parameter.json_schema)
    if fitting is not None and kind not in fitting:
        wanted = parameter.type_name or parameter.json_schema
        raise _refusal(
            parameter.name,
            f"the input {parameter.name!r} is a value of the kind {kind!r}, and the task wants {wanted}",
            f"Give a value of the type {wanted}.",
        )


@lru_cache(maxsize=4096)
def _fitting_kinds(json_schema: str) -> frozenset[str] | None:
    """The kinds that a schema admits; None when the schema alone does not decide."""
    try:
        schema = json.loads(json_schema) if json_schema else None
    except ValueError:
        return None
    if not isinstance(schema, dict) or any(word in schema for word in _REFINEMENTS):
        return None
    kind = schema.get("type")
    return _KINDS_OF.get(kind) if isinstance(kind, str) else None


def _known(spec: TaskSpec) -> str:
    names = ", ".join(parameter.name for parameter in spec.interface.inputs)
    return f"Its inputs are {names}." if names else "It has none."


def _refusal(name: str, message: str, mend: str) -> InvalidArgument:
    return InvalidArgument(message, reason="INVALID_INPUTS", field=f"inputs.{name}", mend=mend)
