"""Codecs of pydantic models.

pydantic itself validates what is read and what is given as a dict, so a field need not hold what its annotation says:
one that a validator or a setting of the model has made something else of travels as pydantic would write it to JSON.
pydantic is never imported from here: a class can only be a model of it if the program has imported it.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flyte.types.annotations import describe, strip
from flyte.types.codec import Codec, Definitions, JsonSchema, Read, Value, Write
from flyte.types.mismatch import TypeTransformerFailedError, wrong_type
from flyte.types.natural import read_natural, write_natural
from flyte.types.pickles import read_other, write_pickle
from flyte.types.records import (
    RecordField,
    fields_reader,
    fields_writer,
    holds_record,
    record_schema,
    written_in_order,
)

if typing.TYPE_CHECKING:
    from flyte.types.codecs import Building


def build_pydantic_model(annotation: Any, of: Building) -> Codec | None:
    """Return the codec of a pydantic model class."""
    owner = strip(annotation)
    pydantic = sys.modules.get("pydantic")
    base = getattr(pydantic, "BaseModel", None)
    if base is None or not isinstance(owner, type) or not issubclass(owner, base) or owner is base:
        return None
    model: Any = owner
    loosely = of.loosely()
    fields = tuple(
        RecordField(name=name, codec=loosely(spec.annotation), required=spec.is_required(), default=_default(spec))
        for name, spec in model.model_fields.items()
    )
    read = _reader(annotation, model, fields)
    return Codec(
        annotation=annotation,
        type_name=describe(annotation),
        write=_writer(annotation, model, fields, read, of(Any)),
        read=read,
        schema=lambda definitions: _schema(model, fields, definitions),
        plain=written_in_order(fields)
        and all(field.codec.plain for field in fields)
        and model.model_config.get("extra") != "allow",
        exact=owner,
    )


def _default(spec: Any) -> Any:
    return ... if spec.is_required() or spec.default_factory is not None else spec.default


def _writer(annotation: Any, model: Any, fields: tuple[RecordField, ...], read: Read, anything: Codec) -> Write:
    write_fields = fields_writer(model.__name__, fields)

    def write(message: Value, value: Any) -> None:
        if type(value) is model:
            try:
                write_fields(message, value.__getattribute__)
            except TypeTransformerFailedError as failure:
                message.ClearField("struct")
                try:
                    _write_as_dumped(message, value, fields, anything)
                    read(message)
                except Exception:
                    raise failure from None
            for name, extra in (value.__pydantic_extra__ or {}).items():
                write_natural(message.struct.fields.add(name=name).value, extra)
        elif isinstance(value, model):
            write_pickle(message, value)
        elif isinstance(value, Mapping):
            write(message, _validated(model, dict(value)))
        else:
            raise wrong_type(annotation, value)

    return write


def _write_as_dumped(message: Value, value: Any, fields: tuple[RecordField, ...], anything: Codec) -> None:
    """Write the fields that are not of their type in their JSON form. Raises what pydantic raises if there is none."""
    unfit = {field.name for field in fields if not _fits(field.codec, getattr(value, field.name))}
    dumped = value.model_dump(mode="json", include=unfit, warnings=False)
    values = {field.name: getattr(value, field.name) for field in fields} | dumped
    written = [replace(field, codec=anything) if field.name in unfit else field for field in fields]
    fields_writer(type(value).__name__, written)(message, values.__getitem__)


def _fits(codec: Codec, value: Any) -> bool:
    try:
        codec.write(Value(), value)
    except TypeTransformerFailedError:
        return value is None and not codec.accepts_none
    return True


def _reader(annotation: Any, model: Any, fields: tuple[RecordField, ...]) -> Read:
    keeps_extra = model.model_config.get("extra") == "allow"
    aliases = [
        RecordField(name=alias, codec=field.codec)
        for field in fields
        for alias in _aliases(model.model_fields[field.name])
    ]
    read_fields = fields_reader((*fields, *aliases), read_unknown=read_natural if keeps_extra else None)
    left_out = [field.name for field in fields if field.default is None and not field.codec.accepts_none]
    is_root = bool(getattr(model, "__pydantic_root_model__", False))

    def read(message: Value) -> Any:
        if not holds_record(message):
            return read_other(annotation, message, read)
        values = read_fields(message)
        for name in left_out:  # its annotation does not take the None that is its default
            if values.get(name, ...) is None:
                del values[name]
        return _validated(model, values["root"] if is_root and "root" in values else values)

    return read


def _aliases(spec: Any) -> list[str]:
    """Return the names that a field has besides its own, in documents that people write."""
    return [alias for alias in (spec.alias, spec.validation_alias) if isinstance(alias, str)]


def _validated(model: Any, values: Any) -> Any:
    try:
        return model.model_validate(values, by_alias=True, by_name=True)
    except Exception as error:
        raise TypeTransformerFailedError(f"{model.__name__} refuses its fields: {error}") from error


def _schema(model: Any, fields: tuple[RecordField, ...], definitions: Definitions) -> JsonSchema:
    has_aliases = any(_aliases(spec) for spec in model.model_fields.values())
    takes_more = has_aliases or model.model_config.get("extra") == "allow"
    shown = tuple(replace(field, required=field.required and not has_aliases) for field in fields)
    return record_schema(model, model.__name__, shown, definitions, takes_more=takes_more)
