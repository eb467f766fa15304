"""The methods of pydantic models that programs call on a File, Dir or DataFrame, which are models in the peer SDK."""

from __future__ import annotations

import json
from typing import Any, Self


class ModelMethods:
    """Over `to_dict` and `from_dict` of the class."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields."""
        raise NotImplementedError

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Make one of its fields."""
        raise NotImplementedError

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        raise NotImplementedError

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """Return the fields. Of pydantic's options `include`, `exclude` and `exclude_none` have an effect."""
        fields = self.to_dict()
        left_out = set(options.get("exclude") or ())
        wanted = set(options.get("include") or fields) - left_out
        no_none = bool(options.get("exclude_none"))
        return {name: value for name, value in fields.items() if name in wanted and not (no_none and value is None)}

    def model_dump_json(self, **options: Any) -> str:
        """Return the fields as JSON text; see `model_dump`."""
        return json.dumps(self.model_dump(**options), separators=(",", ":"))

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Return what an instance, or the dict of its fields, means. Raises ValueError for anything else."""
        if isinstance(obj, cls):
            return obj
        if not isinstance(obj, dict):
            raise ValueError(f"Expected a {cls.__name__} or a dict of its fields, got {type(obj)}")
        return cls.from_dict(obj)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes, **options: Any) -> Self:
        """Return what JSON text means. Raises ValueError for text that is none, or of something else."""
        return cls.model_validate(json.loads(json_data))

    @classmethod
    def model_construct(cls, **fields: Any) -> Self:
        """Return one of its fields."""
        return cls.from_dict(fields)

    @classmethod
    def model_json_schema(cls, **options: Any) -> dict[str, Any]:
        """Return the JSON Schema of the fields."""
        schema: dict[str, Any] = cls.__get_pydantic_json_schema__(None, None)
        return schema

    def model_copy(self, *, update: dict[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with other values of some fields."""
        return self.from_dict(self.to_dict() | (update or {}))
