"""The inputs and outputs of one task as bytes, and back.

`InterfaceCodec` is made once for each interface and kept as long as it; it holds one writer and one reader for each
input. Inputs are encoded once, by the caller: the same bytes are digested, travel, are stored and reach the child.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, Optional

from google.protobuf.message import DecodeError

from flyte.spec.digests import inputs_digest as digest_of_values
from flyte.types.annotations import accepts_none
from flyte.types.codec import Codec, JsonSchema, Value
from flyte.types.codecs import codec_for
from flyte.types.interface_schema import inputs_schema, outputs_schema
from flyte.types.mismatch import TypeTransformerFailedError, conversion_error
from flyte.types.pickles import write_pickle
from flyteapi.task.v1 import interface_pb2, value_pb2

if TYPE_CHECKING:
    from flyte.authoring.interface import NativeInterface

_REQUIRED: Final = object()


class InterfaceCodec:
    """Encodes and decodes the inputs and outputs of tasks with one interface. Get it with `interface_codec`."""

    def __init__(self, interface: NativeInterface) -> None:
        # A copy: the codec must not keep the interface itself alive, it lives as long as that.
        self._interface = replace(interface)
        inputs = [(name, *_typed(kind, default)) for name, (kind, default) in interface.inputs.items()]
        self._inputs = {name: codec for name, codec, _ in inputs}
        self._defaults = {name: default for name, _, default in inputs}
        self._writers = [(name, codec.write) for name, codec, _ in inputs]
        self._readers = {name: codec.read for name, codec, _ in inputs}
        self._count = len(inputs)
        self._plain = all(codec.plain for codec in self._inputs.values())
        self._outputs = {name: codec_for(kind) for name, kind in interface.outputs.items()}
        self._output_writers = [(name, codec.write) for name, codec in self._outputs.items()]
        self._output_readers = [(name, codec.read) for name, codec in self._outputs.items()]

    @property
    def input_codecs(self) -> Mapping[str, Codec]:
        """The codec of each input."""
        return self._inputs

    @property
    def output_codecs(self) -> Mapping[str, Codec]:
        """The codec of each output."""
        return self._outputs

    def encode_inputs(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
        """Return the inputs of a call, serialised in the order of the interface, with defaults filled in.

        Raises ValueError for inputs that are missing, unknown or too many, and TypeError, naming the input, for a
        value that is not of its type.
        """
        if kwargs or len(args) != self._count:
            args = tuple(self._interface.bind(tuple(args), kwargs).values())
        return _encode(self._writers, args, self._input_error)

    def decode_inputs(self, data: bytes) -> dict[str, Any]:
        """Return the inputs by name. Inputs that are not there have their defaults.

        Raises ValueError for missing inputs or broken bytes, TypeError for values of other types.
        """
        values = _parsed(data)
        result: dict[str, Any] = {}
        readers = self._readers
        name = ""
        try:
            for named in values.values:
                name = named.name
                result[name] = readers[name](named.value)
        except TypeTransformerFailedError as failure:
            raise TypeError(f"Input '{name}' cannot be read: {failure}") from failure
        except KeyError:
            if name in readers:
                raise
            raise ValueError(f"Unexpected inputs: {name}. The inputs are: {', '.join(readers)}") from None
        return result if len(result) == self._count else self._with_defaults(result)

    def encode_outputs(self, result: Any) -> bytes:
        """Return what a task returned, serialised.

        Raises RuntimeDataValidationError for a value that is not of its type, for another number of values than the
        annotation says, and for a value of a task that has no annotation for it.
        """
        count = len(self._outputs)
        if count == 0:
            if result is not None:
                raise _invalid_output(
                    "o0", f"The task returned {type(result)}, but its function has no return annotation. Add one."
                )
            return b""
        results = (result,) if count == 1 and self._interface.record is None else result
        if not isinstance(results, tuple | list) or len(results) != count:
            given = f"{len(results)} values" if isinstance(results, tuple | list) else str(type(result))
            raise _invalid_output("o0", f"The task returned {given}, but its annotation says {count} values")
        return _encode(self._output_writers, results, self._output_error)

    def decode_outputs(self, data: bytes) -> Any:
        """Return what the task returned: None, one value, a tuple or a NamedTuple.

        Raises ValueError for missing outputs or broken bytes, TypeError for values of other types.
        """
        results = tuple(self.decode_named_outputs(data).values())
        if self._interface.record is not None:
            return self._interface.record(*results)
        return results if len(results) > 1 else results[0] if results else None

    def decode_named_outputs(self, data: bytes) -> dict[str, Any]:
        """Return the outputs by name, in the order of the interface."""
        messages = {named.name: named.value for named in _parsed(data).values}
        results: dict[str, Any] = {}
        name = ""
        try:
            for name, read in self._output_readers:
                if name not in messages:
                    raise ValueError(f"Missing outputs: {name}")
                results[name] = read(messages[name])
        except TypeTransformerFailedError as failure:
            raise TypeError(f"Output '{name}' cannot be read: {failure}") from failure
        return results

    def inputs_digest(self, serialised: bytes, *, ignored: Sequence[str] = ()) -> bytes:
        """Return the digest of encoded inputs without the ignored names, see `flyte.spec.digests`."""
        if self._plain and not ignored:
            return hashlib.sha256(serialised).digest()
        return digest_of_values(_parsed(serialised), ignored)

    def to_proto(self) -> interface_pb2.Interface:
        """Return the interface as it is stored with a task version."""
        documented = self._interface.docstring
        descriptions: Mapping[str, str] = getattr(documented, "input_descriptions", None) or {}
        message = interface_pb2.Interface()
        for name, codec in self._inputs.items():
            parameter = _parameter(message.inputs.add(name=name), codec)
            parameter.description = descriptions.get(name) or ""
            parameter.required = self._defaults[name] is _REQUIRED
            if not parameter.required:
                parameter.default_value = codec.encode(self._defaults[name], name=name).SerializeToString()
        for name, codec in self._outputs.items():
            _parameter(message.outputs.add(name=name), codec)
        return message

    def inputs_schema(self) -> JsonSchema:
        """Return the inputs as the JSON Schema of one object, with titles, descriptions and defaults."""
        documented = self._interface.docstring
        descriptions: Mapping[str, str] = getattr(documented, "input_descriptions", None) or {}
        defaults = {name: default for name, default in self._defaults.items() if default is not _REQUIRED}
        return inputs_schema(self._inputs, defaults=defaults, descriptions=descriptions)

    def outputs_schema(self) -> JsonSchema:
        """Return the outputs as the JSON Schema of one object."""
        return outputs_schema(self._outputs)

    def _with_defaults(self, given: dict[str, Any]) -> dict[str, Any]:
        missing = [name for name, default in self._defaults.items() if default is _REQUIRED and name not in given]
        if missing:
            raise ValueError(f"Missing required inputs: {', '.join(missing)}")
        return {name: given.get(name, default) for name, default in self._defaults.items()}

    def _input_error(self, name: str, value: Any, failure: BaseException) -> Exception:
        return conversion_error(name, self._inputs[name].annotation, value, failure)

    def _output_error(self, name: str, value: Any, failure: BaseException) -> Exception:
        return _invalid_output(name, conversion_error(name, self._outputs[name].annotation, value, failure))


def interface_codec(interface: NativeInterface) -> InterfaceCodec:
    """Return the codec of an interface, made at the first call."""
    # An interface cannot be hashed, and pickles of tasks must not carry its codec: kept by identity, beside it.
    key = id(interface)
    codec = _codecs.get(key)
    if codec is None:
        codec = _codecs[key] = InterfaceCodec(interface)
        weakref.finalize(interface, _codecs.pop, key, None).atexit = False
    return codec


def check_inline_size(data: bytes, limit: int, direction: Literal["inputs", "outputs"]) -> None:
    """Raise InlineIOMaxBytesBreached if all inputs, or all outputs, of an invocation weigh more than `limit` bytes."""
    if len(data) <= limit:
        return
    from flyte.errors import InlineIOMaxBytesBreached

    raise InlineIOMaxBytesBreached(
        f"The {direction} weigh {len(data)} bytes inline; the limit, max_inline_io_bytes, is {limit}. "
        "Pass large data as a flyte.io.File, Dir or DataFrame, or raise max_inline_io_bytes."
    )


_codecs: dict[int, InterfaceCodec] = {}


def _typed(annotation: Any, default: Any) -> tuple[Codec, Any]:
    from flyte.authoring.interface import NO_DEFAULT

    if default is NO_DEFAULT:
        return codec_for(annotation), _REQUIRED
    if default is None and not accepts_none(annotation):
        # `x: str = None` says by its default what its annotation leaves out.
        return codec_for(Optional[annotation]), None  # noqa: UP045 - the annotation may be no type for `|`
    return codec_for(annotation), default


def _encode(
    writers: list[tuple[str, Callable[[Value, Any], None]]],
    values: Sequence[Any],
    error_of: Callable[[str, Any, BaseException], Exception],
) -> bytes:
    message = value_pb2.NamedValues()
    add = message.values.add
    name, value = "", None
    try:
        for (name, write), value in zip(writers, values, strict=True):
            write(add(name=name).value, value)
        return message.SerializeToString()
    except TypeTransformerFailedError as failure:
        raise error_of(name, value, failure) from failure
    except RecursionError:
        return _encode_deep(writers, values, error_of)


def _encode_deep(
    writers: list[tuple[str, Callable[[Value, Any], None]]],
    values: Sequence[Any],
    error_of: Callable[[str, Any, BaseException], Exception],
) -> bytes:
    """Encode values of which one contains itself or is too deep for the interpreter: that one as a pickle."""
    parts = []
    for (name, write), value in zip(writers, values, strict=True):
        try:
            parts.append(_encode_one(name, write, value))
        except TypeTransformerFailedError as failure:
            raise error_of(name, value, failure) from failure
        except RecursionError:
            parts.append(_encode_one(name, write_pickle, value))
    return b"".join(parts)  # messages of one type, one after another, are one message with the fields of all


def _encode_one(name: str, write: Callable[[Value, Any], None], value: Any) -> bytes:
    message = value_pb2.NamedValues()
    write(message.values.add(name=name).value, value)
    return message.SerializeToString()


def _parsed(data: bytes) -> value_pb2.NamedValues:
    try:
        return value_pb2.NamedValues.FromString(data)
    except DecodeError as error:
        raise ValueError(f"The {len(data)} bytes are not the inputs or outputs of a task: {error}") from error


def _parameter(parameter: interface_pb2.Parameter, codec: Codec) -> interface_pb2.Parameter:
    parameter.type_name = codec.type_name
    parameter.json_schema = codec.json_schema_text()
    return parameter


def _invalid_output(name: str, reason: Exception | str) -> Exception:
    from flyte.errors import RuntimeDataValidationError

    return RuntimeDataValidationError(name, reason)
