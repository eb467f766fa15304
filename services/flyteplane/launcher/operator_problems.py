"""What is wrong with an operator's file, in words: the line, the place, the value, and what is allowed there.

All problems of a file are told at once, since an operator who mends one at a time restarts the platform once for each.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from flyteplane.foundation.errors import InvalidArgument, PlatformError
from flyteplane.launcher.operator_text import YamlText, written

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Place = tuple[str | int, ...]

_MOST_TOLD: Final = 20


class Problems:
    """Collects what is wrong with one file."""

    def __init__(self, path: Path, text: YamlText) -> None:
        self._path = path
        self._text = text
        self._found: list[tuple[int, str, str]] = []

    def add(self, place: Sequence[str | int], words: str) -> None:
        """Notes one problem at a place."""
        self._found.append((self._text.line(place), written(place), words))

    def add_refusal(self, place: Place, error: PlatformError, *, names: dict[str, Place]) -> None:
        """Notes what a value said against what it was made of. `names` leads from its fields to those of the file."""
        first, _, rest = error.field.partition(".")
        inner = names.get(first, (first,) if first else ())
        limit = f" (allowed: {error.limit})" if error.limit and error.limit not in error.message else ""
        mend = f". {error.mend}" if error.mend else ""
        self.add((*place, *inner, *([rest] if rest else [])), f"{error.message}{limit}{mend}")

    def add_shape(self, error: ValidationError, *, root: type[Any], kinds: dict[str, type[Any]]) -> None:
        """Notes what pydantic said against the shape."""
        for detail in error.errors(include_url=False):
            place = _place(detail["loc"], kinds)
            self.add(place, _words(detail, keys=_keys_at(root, detail["loc"][:-1], kinds)))

    def refuse(self) -> None:
        """Raises InvalidArgument if anything was noted."""
        if not self._found:
            return
        ordered = sorted(set(self._found))
        lines = [f"line {line}: {place}: {words}" if place else words for line, place, words in ordered[:_MOST_TOLD]]
        if len(ordered) > _MOST_TOLD:
            lines.append(f"and {len(ordered) - _MOST_TOLD} more")
        told = lines[0] if len(lines) == 1 else "\n  ".join(["", *lines])
        raise InvalidArgument(
            f"{self._path}: {told}",
            reason="OPERATOR_FILE",
            field=ordered[0][1],
            metadata={"path": str(self._path), "problems": str(len(ordered))},
        )


def _place(loc: tuple[str | int, ...], kinds: dict[str, type[Any]]) -> Place:
    """The place without the name of the kind, which pydantic puts in between."""
    if len(loc) > 2 and loc[0] == "clusters" and loc[2] in kinds:
        return (*loc[:2], *loc[3:])
    return loc


def _words(detail: ErrorDetails, *, keys: Sequence[str]) -> str:
    kind, message = detail["type"], detail["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(detail["loc"][-1]), keys, n=1)
        guess = f", did you mean {near[0]!r}?" if near else "."
        return f"this key is not known{guess} Keys here: {', '.join(keys)}"
    if kind == "missing":
        return "this key is missing"
    if kind == "union_tag_not_found":
        return "the key 'kind' is missing: process or kubernetes"
    value = repr(detail["input"])
    return message if value in message else f"{message}, not {value if len(value) <= 100 else value[:97] + '...'}"


def _keys_at(root: type[Any], loc: Sequence[str | int], kinds: dict[str, type[Any]]) -> list[str]:
    """The keys that the section at a place has."""
    section = root
    for step in loc:
        if step in kinds:
            section = kinds[str(step)]
        elif isinstance(step, str) and step in getattr(section, "model_fields", {}):
            section = _section_of(section.model_fields[step].annotation) or section
    return sorted(section.model_fields)


def _section_of(annotation: Any) -> type[Any] | None:
    if hasattr(annotation, "model_fields"):
        section: type[Any] = annotation
        return section
    return next((found for part in get_args(annotation) if (found := _section_of(part)) is not None), None)
