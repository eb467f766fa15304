"""The inputs of a task as one JSON Schema (draft 2020-12): what a form for a launch asks for.

The schemas of the single inputs, which are part of a task's identity, say nothing of names, texts and defaults. Here
each has its title, its description and its default, and the records that several inputs use are defined once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from flyte.types.codec import Codec, Definitions, JsonSchema
from flyte.types.json_form import NoJsonForm, to_json
from flyte.types.mismatch import TypeTransformerFailedError

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def inputs_schema(
    inputs: Mapping[str, Codec], *, defaults: Mapping[str, Any], descriptions: Mapping[str, str]
) -> JsonSchema:
    """Return the schema of an object with the inputs as properties; an input without a default is required."""
    definitions = Definitions()
    properties = {}
    for name, codec in inputs.items():
        description = descriptions.get(name)
        properties[name] = {
            "title": name.replace("_", " ").strip().capitalize() or name,
            **({"description": description} if description else {}),
            **codec.schema(definitions),
            **_default(codec, name, defaults),
        }
    return _object(properties, [name for name in inputs if name not in defaults], definitions)


def outputs_schema(outputs: Mapping[str, Codec]) -> JsonSchema:
    """Return the schema of an object with the outputs as properties."""
    definitions = Definitions()
    return _object({name: codec.schema(definitions) for name, codec in outputs.items()}, outputs, definitions)


def _object(properties: Mapping[str, JsonSchema], required: Iterable[str], definitions: Definitions) -> JsonSchema:
    schema: JsonSchema = {
        "$schema": DRAFT,
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }
    return {**schema, "$defs": definitions.schemas} if definitions.schemas else schema


def _default(codec: Codec, name: str, defaults: Mapping[str, Any]) -> JsonSchema:
    """Return the default in its JSON form; one that JSON cannot hold is left out, the input stays optional."""
    if name not in defaults:
        return {}
    message = _written(codec, defaults[name])
    if message is None:
        return {}
    try:
        return {"default": to_json(message)}
    except NoJsonForm:
        return {}


def _written(codec: Codec, default: Any) -> Any:
    if getattr(type(default), "__flyte_reference__", None) is not None:
        return None  # to write it might store it
    try:
        return codec.encode(default, name="default")
    except (TypeError, TypeTransformerFailedError):
        return None
