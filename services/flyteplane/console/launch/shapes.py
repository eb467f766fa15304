"""What a form can ask for: one shape for each kind of value, nested as the values are.

Shapes know nothing of pages. The name of a control is the path of its value, such as `inputs.rows.0.rate`; rows of a
list or dict are told by their ids, which the control of the list itself holds, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class TextKind(Enum):
    """Values that are written as one text."""

    STRING = "str"
    INTEGER = "int"
    NUMBER = "float"
    BYTES = "bytes"
    DATETIME = "datetime"
    DATE = "date"
    TIME = "time"
    DURATION = "timedelta"
    PATH = "Path"
    UUID = "UUID"
    DECIMAL = "Decimal"


class UploadKind(Enum):
    """Values that lie in the object store."""

    FILE = "File"
    DIR = "Dir"
    DATA_FRAME = "DataFrame"


@dataclass(frozen=True, slots=True)
class Text:
    """One text, read as its kind says."""

    kind: TextKind


@dataclass(frozen=True, slots=True)
class Nothing:
    """The value None and no other."""


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of some values: names of an enum's members, or literals."""

    options: tuple[str | int | float | bool | None, ...]
    enum_name: str = ""
    """Name of the enum; empty for literals."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file, a folder or a table: uploaded, or named by its address."""

    kind: UploadKind


@dataclass(frozen=True, slots=True)
class Json:
    """Anything that JSON can hold."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A class that only a Python program can make a value of."""

    type_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A named part of a record."""

    name: str
    shape: Shape
    required: bool
    default: object = None
    """In its JSON form; holds if `has_default`."""
    has_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Named fields."""

    type_name: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Sequence:
    """Items of one shape, as many as there are rows."""

    item: Shape
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Fixed:
    """A tuple: a fixed number of items, each with a shape of its own."""

    items: tuple[Shape, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """A dict: rows of a key and a value."""

    key: Shape
    value: Shape


@dataclass(frozen=True, slots=True)
class Union:
    """One of several shapes, each under the name of its type."""

    alternatives: tuple[tuple[str, Shape], ...]

    @property
    def optional(self) -> Shape | None:
        """The other shape, where there are two and one is None."""
        shapes = [shape for _, shape in self.alternatives if not isinstance(shape, Nothing)]
        return shapes[0] if len(self.alternatives) == 2 and len(shapes) == 1 else None

    @property
    def blank_is_none(self) -> bool:
        """Whether an empty control says None, so that there is no need to choose."""
        inner = self.optional
        if isinstance(inner, Text):
            return inner.kind is not TextKind.STRING
        return isinstance(inner, Upload)


Shape = Text | Nothing | Flag | Choice | Upload | Json | Refused | Record | Sequence | Fixed | Entries | Union
