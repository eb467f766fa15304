"""Inputs with parts from the command line: JSON, read as the annotation's own codec reads it.

A name that no field has is refused: the codec itself would pass over it, as it does for records of an older version,
and a misspelt name would have no effect.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flyte.cli.not_readable import NotReadable


def read_json(text: str, annotation: Any) -> Any:
    """Return the value that a JSON text means for an annotation. Raises NotReadable."""
    from flyte.types.codecs import codec_for
    from flyte.types.mismatch import TypeTransformerFailedError
    from flyte.types.natural import write_natural
    from flyteapi.task.v1.value_pb2 import Value

    codec = codec_for(annotation)
    schema = codec.json_schema
    if schema.get("format") == "pickle":
        raise NotReadable(f"a value of type {codec.type_name} cannot be given on the command line")
    message = Value()
    try:
        document = json.loads(text)
    except ValueError as error:
        raise NotReadable(f"not the JSON that is needed for {codec.type_name}: {error}") from None
    if problems := list(_misnamed(document, schema, schema.get("$defs", {}), "")):
        raise NotReadable(f"not the JSON that is needed: {'; '.join(problems[:5])}")
    try:
        write_natural(message, document)
        return codec.decode(message)
    except TypeTransformerFailedError as failure:
        where = f"{failure.path.removeprefix('.')}: " if failure.path else ""
        raise NotReadable(f"not the JSON that is needed: {where}{failure.reason}") from None


def _misnamed(document: Any, schema: Any, definitions: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the names that the records inside a document lack, and those that they have too many."""
    if "$ref" in schema:
        schema = definitions.get(schema["$ref"].rpartition("/")[2], {})
    if isinstance(document, list):
        items = schema.get("prefixItems")
        for index, item in enumerate(document):
            part = items[index] if items and index < len(items) else schema.get("items", {})
            yield from _misnamed(item, part, definitions, f"{path}[{index}]")
    elif isinstance(document, dict) and schema.get("additionalProperties") is not True:
        known = schema.get("properties")
        for name in schema.get("required", ()) if known is not None else ():
            if name not in document:
                yield f"{path}.{name}: this field is missing".removeprefix(".")
        for name, element in document.items():
            if known is not None and name not in known and schema.get("format") is None:
                yield f"{path}.{name}: there is no such field; the fields are {', '.join(known)}".removeprefix(".")
            part = (known or {}).get(name) or schema.get("additionalProperties") or {}
            yield from _misnamed(element, part, definitions, f"{path}.{name}")
