"""What makes the classes of `flyte.io` usable as fields of pydantic models. Only pydantic itself calls it."""

from __future__ import annotations

from typing import Any


def core_schema_for(cls: Any) -> Any:
    """Return the schema of a field: takes an instance, a dict of its fields, or its address as a str."""
    from pydantic_core import core_schema

    return core_schema.no_info_plain_validator_function(
        lambda value: _validated(cls, value),
        # None is what a field holds that is None by default although its annotation does not say so.
        serialization=core_schema.plain_serializer_function_ser_schema(
            lambda value: None if value is None else value.to_dict()
        ),
    )


def json_schema_for(cls: Any, address: str) -> dict[str, Any]:
    """Return the JSON Schema of a field."""
    text = {"type": "string"}
    optional = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    properties = {address: text, "format": {**text, "default": ""}, "hash": optional}
    if address == "path":
        properties["name"] = optional
    return {"type": "object", "title": cls.__name__, "properties": properties, "required": [address]}


def _validated(cls: Any, value: Any) -> Any:
    if isinstance(value, cls):
        return value
    if isinstance(value, dict):
        try:
            return cls.from_dict(value)
        except TypeError as error:
            raise ValueError(str(error)) from error
    if isinstance(value, str):
        return cls.from_existing_remote(value)
    raise ValueError(f"Expected a {cls.__name__}, a dict of its fields or its address, got {type(value)}")
