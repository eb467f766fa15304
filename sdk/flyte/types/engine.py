"""`TypeEngine`: the registry of types as the peer SDK spells it, over the codecs of this package."""

from __future__ import annotations

from collections.abc import Iterable, KeysView, Mapping
from typing import Any, ClassVar

from flyte.types.annotations import class_hints, describe, metadata, strip
from flyte.types.codec import Codec, Value
from flyte.types.codecs import codec_for, is_registered, register_codec
from flyte.types.guess import guess_annotation
from flyte.types.mismatch import TypeTransformerFailedError
from flyte.types.plugins import load_type_plugins
from flyte.types.scalars import SCALARS
from flyte.types.transformer import LiteralType, Renderable, TypeTransformer, codec_factory, keep_message, kept_message
from flyteapi.task.v1 import value_pb2


class TypeEngine:
    """Knows every type. All methods belong to the class."""

    _transformers: ClassVar[dict[Any, TypeTransformer[Any]]] = {}

    @classmethod
    def register(cls, transformer: TypeTransformer[Any], additional_types: list[type] | None = None) -> None:
        """Convert the values of a transformer's class, and of additional ones, with it.

        Raises ValueError for a class that has a transformer already.
        """
        owners = (transformer.python_type, *(additional_types or ()))
        for owner in owners:
            known = cls._transformers.get(owner)
            if known is not None or owner in SCALARS or is_registered(owner):
                name = known.name if known is not None else describe(owner)
                raise ValueError(f"{owner} is converted by {name} already: {transformer.name} cannot be registered")
        for owner in owners:
            cls._register(transformer, owner)

    @classmethod
    def register_additional_type(
        cls, transformer: TypeTransformer[Any], additional_type: type, override: bool = False
    ) -> None:
        """Convert the values of one more class; one that has a transformer keeps it unless told to override."""
        if override or additional_type not in cls._transformers:
            cls._register(transformer, additional_type)

    @classmethod
    def register_restricted_type(cls, name: str, type: type) -> None:
        """Refuse values of a class from now on."""
        cls._register(_Restricted(name, type), type)

    @classmethod
    def get_available_transformers(cls) -> KeysView[Any]:
        """Return the classes that have a transformer, those of the SDK included."""
        return {**dict.fromkeys(SCALARS), **cls._transformers}.keys()

    @classmethod
    def get_transformer(cls, python_type: Any) -> TypeTransformer[Any]:
        """Return what converts an annotation: the registered transformer of its class, or one of the SDK's own."""
        codec_for(python_type)  # loads plugins if nothing knows the class yet
        bare = strip(python_type)
        owner = getattr(bare, "__origin__", None) or bare
        for base in owner.__mro__[:-1] if isinstance(owner, type) else (owner,):
            if base in cls._transformers:
                return cls._transformers[base]
        return _CodecTransformer(codec_for(python_type))

    @classmethod
    def lazy_import_transformers(cls) -> None:
        """Load the types that installed plugins bring."""
        load_type_plugins()

    @classmethod
    def to_literal_type(cls, python_type: Any) -> Any:
        """Return what describes the values of an annotation."""
        return cls.get_transformer(python_type).get_literal_type(python_type)

    @classmethod
    def to_literal_checks(cls, python_val: Any, python_type: Any, expected: Any) -> None:
        """Raise TypeTransformerFailedError for None where the annotation does not take it."""
        if python_val is None and not codec_for(python_type).accepts_none:
            raise TypeTransformerFailedError(f"Python value cannot be None, expected {python_type}")

    @classmethod
    async def to_literal(cls, python_val: Any, python_type: Any, expected: Any = None) -> Value:
        """Return the message of a value. Raises TypeTransformerFailedError for a value of another type."""
        cls.to_literal_checks(python_val, python_type, expected)
        transformer = cls.get_transformer(python_type)
        if transformer.type_assertions_enabled:
            transformer.assert_type(python_type, python_val)
        if expected is None:
            expected = transformer.get_literal_type(python_type)
        message = Value()
        keep_message(message, await transformer.to_literal(python_val, python_type, expected), transformer.name)
        return message

    @classmethod
    async def to_python_value(cls, lv: Value, expected_python_type: Any) -> Any:
        """Return the value of a message. Raises TypeTransformerFailedError if it is of another type."""
        transformer = cls.get_transformer(expected_python_type)
        return await transformer.to_python_value(kept_message(lv), expected_python_type)

    @classmethod
    def to_html(cls, python_val: Any, expected_python_type: Any) -> str:
        """Return a value as HTML: by a `Renderable` in `Annotated`, else as the transformer shows it."""
        for extra in metadata(expected_python_type):
            if isinstance(extra, Renderable) and not isinstance(extra, type):
                return extra.to_html(python_val)
        return cls.get_transformer(expected_python_type).to_html(python_val, expected_python_type)

    @classmethod
    def guess_python_type(cls, flyte_type: LiteralType) -> Any:
        """Return an annotation for a type that is known by its description only."""
        return guess_annotation(flyte_type.json_schema)

    @classmethod
    def guess_python_types(cls, flyte_variable_list: Iterable[Any]) -> dict[str, Any]:
        """Return annotations for the parameters of a stored interface."""
        return {parameter.name: guess_annotation(parameter.json_schema) for parameter in flyte_variable_list}

    @classmethod
    def named_tuple_to_variable_map(cls, t: Any) -> dict[str, Any]:
        """Return what describes each field of a NamedTuple class."""
        return {name: cls.to_literal_type(kind) for name, kind in class_hints(t).items()}

    @classmethod
    async def dict_to_literal_map(
        cls, d: Mapping[str, Any], type_hints: Mapping[str, Any] | None = None
    ) -> value_pb2.NamedValues:
        """Return values with their names as one message; without a hint a value's own class is its type."""
        values = value_pb2.NamedValues()
        for name, value in d.items():
            hint = (type_hints or {}).get(name, type(value))
            values.values.add(name=name).value.CopyFrom(await cls.to_literal(value, hint))
        return values

    @classmethod
    async def literal_map_to_kwargs(
        cls,
        lm: value_pb2.NamedValues,
        python_types: Mapping[str, Any] | None = None,
        literal_types: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the values of a message by name; without a type each is read by what it says of itself."""
        types = python_types or {}
        return {named.name: await cls.to_python_value(named.value, types.get(named.name, Any)) for named in lm.values}

    @classmethod
    def unwrap_offloaded_literal(cls, lv: Value) -> Value:
        """Return the message itself: large payloads are fetched before they are opened."""
        return lv

    @classmethod
    def _register(cls, transformer: TypeTransformer[Any], owner: Any) -> None:
        cls._transformers[owner] = transformer
        register_codec(owner, codec_factory(transformer))


class _CodecTransformer(TypeTransformer[Any]):
    """A codec of the SDK, as a transformer."""

    def __init__(self, codec: Codec) -> None:
        super().__init__(codec.type_name, strip(codec.annotation), enable_type_assertions=False)
        self._codec = codec

    def get_literal_type(self, t: Any) -> LiteralType:
        return LiteralType(type_name=self._codec.type_name, json_schema=self._codec.json_schema)

    async def to_literal(self, python_val: Any, python_type: Any, expected: Any) -> Value:
        message = Value()
        self._codec.write(message, python_val)
        return message

    async def to_python_value(self, lv: Any, expected_python_type: Any) -> Any:
        return self._codec.read(lv)

    def guess_python_type(self, literal_type: Any) -> Any:
        return guess_annotation(literal_type.json_schema)


class _Restricted(TypeTransformer[Any]):
    """Refuses every value."""

    def __init__(self, name: str, t: type) -> None:
        super().__init__(f"Restricted {name}", t, enable_type_assertions=False)

    def get_literal_type(self, t: Any) -> Any:
        raise TypeTransformerFailedError(f"{t} is a restricted type: tasks can neither take nor return it")

    async def to_literal(self, python_val: Any, python_type: Any, expected: Any) -> Value:
        raise TypeTransformerFailedError(f"{python_type} is a restricted type")

    async def to_python_value(self, lv: Any, expected_python_type: Any) -> Any:
        raise TypeTransformerFailedError(f"{expected_python_type} is a restricted type")
