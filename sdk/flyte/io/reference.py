"""What File and Dir share: an address with a name, a format and a hash, equal by value, usable in any record.

The three names with `__flyte_` are how `flyte.types` recognises, stores and restores a reference without importing
this package.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

from flyte.io.model_methods import ModelMethods
from flyte.io.placement import StoredData, reachable
from flyte.storage.locations import name_of, plain_name


class PathReference(ModelMethods):
    """Data at a path or URI."""

    __flyte_reference__: ClassVar[str]

    def __init__(self, *, path: str, name: str | None = None, format: str = "", hash: str | None = None) -> None:
        if not isinstance(path, str | PathLike):
            raise TypeError(f"Expected the path of a {type(self).__name__} to be of type str, got {type(path)}")
        self.path = str(path)
        self.name = name if name is not None else name_of(self.path)
        self.format = format
        self.hash = hash
        self._size_bytes: int | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.to_dict().items())})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PathReference) or type(self) is not type(other):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((type(self), self.path, self.hash))

    def __fspath__(self) -> str:
        from flyte.storage.locations import local_path

        return str(local_path(self.path))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields."""
        return {"path": self.path, "name": self.name, "format": self.format, "hash": self.hash}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Make one of its fields. Raises ValueError without `path`."""
        if "path" not in fields:
            raise ValueError(f"A {cls.__name__} needs the field 'path'")
        known = ("path", "name", "format", "hash")
        return cls(**{name: fields[name] for name in known if name in fields})

    def __flyte_store__(self) -> StoredData:
        return StoredData(
            uri=reachable(self.path),
            format=self.format,
            hash=self._known_hash(),
            name=self.name,
            size_bytes=self._size_bytes,
        )

    def _known_hash(self) -> str | None:
        return self.hash

    @classmethod
    def __flyte_restore__(cls, stored: StoredData) -> Self:
        reference = cls(path=stored.uri, name=stored.name, format=stored.format, hash=stored.hash)
        reference._size_bytes = stored.size_bytes
        return reference

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from flyte.io.pydantic_support import core_schema_for

        return core_schema_for(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        from flyte.io.pydantic_support import json_schema_for

        return json_schema_for(cls, "path")


def download_target(local_path: str | Path | None, name: str) -> Path:
    """Return where a download goes: a new temporary folder, inside a folder that exists, or the very path given.

    Whoever made the value chose the name, which may be any text.
    """
    if local_path is None:
        from flyte.storage.asynchronous import get_random_local_path

        return get_random_local_path(name)
    target = Path(local_path)
    return target / plain_name(name) if target.is_dir() or str(local_path).endswith("/") else target
