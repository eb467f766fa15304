"""What a docstring says of a function and of its parameters, in the Google, numpy and reST styles."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, TypeAlias

_REST = re.compile(r"^:param\s+(?:[^:]*\s)?(?P<name>\w+):\s*(?P<text>.*)$")
_REST_RETURN = re.compile(r"^:returns?:\s*(?P<text>.*)$")
_GOOGLE = re.compile(r"^\s+(?P<name>\w+)(?:\s*\([^)]*\))?:\s*(?P<text>.*)$")
_NUMPY = re.compile(r"^(?P<name>\w+)\s*(?::.*)?$")
_GOOGLE_INPUTS: Final = frozenset({"Args:", "Arguments:", "Parameters:"})
_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Notes?)(:)?\s*$")

_Piece: TypeAlias = tuple[str, str]
"""A parameter with the first line of what is said of it; the next lines have no name."""


class Docstring:
    """A docstring, read for people: what is not understood is left out."""

    def __init__(self, docstring: str | None = None, callable_: Callable[..., Any] | None = None) -> None:
        text = docstring if docstring is not None else (inspect.getdoc(callable_) if callable_ else None)
        self._lines = inspect.cleandoc(text or "").splitlines()

    @property
    def short_description(self) -> str | None:
        """The first paragraph, on one line."""
        paragraphs = self._prose.split("\n\n", 1)
        return " ".join(paragraphs[0].split()) or None

    @property
    def long_description(self) -> str | None:
        """Everything between the first paragraph and the first section."""
        _, _, rest = self._prose.partition("\n\n")
        return rest.strip() or None

    @cached_property
    def input_descriptions(self) -> dict[str, str]:
        """What is said of each parameter, on as many lines as it has there."""
        styles = (self._rest_pieces, self._google_pieces, self._numpy_pieces)
        return {name: text for style in styles for name, text in _joined(style()).items()}

    @property
    def output_descriptions(self) -> dict[str, str]:
        """What is said of the return value, under the name of the first output."""
        for line in self._lines:
            if match := _REST_RETURN.match(line):
                return {"o0": match["text"].strip()}
        return {}

    @property
    def _prose(self) -> str:
        lines: list[str] = []
        for line in self._lines:
            if _SECTION.match(line) or line.startswith(":"):
                break
            lines.append(line)
        return "\n".join(lines)

    def _rest_pieces(self) -> Iterator[_Piece]:
        inside = False
        for line in self._lines:
            match = _REST.match(line)
            inside = match is not None or (inside and line.startswith(" "))
            if inside:
                yield (match["name"], match["text"]) if match else ("", line)

    def _google_pieces(self) -> Iterator[_Piece]:
        inside, depth = False, 0
        for line in filter(None, self._lines):
            indent = len(line) - len(line.lstrip())
            if not indent:
                inside, depth = line.strip() in _GOOGLE_INPUTS, 0
            elif inside:
                depth = depth or indent
                match = _GOOGLE.match(line) if indent == depth else None
                yield (match["name"], match["text"]) if match else ("", line)

    def _numpy_pieces(self) -> Iterator[_Piece]:
        inside = False
        for line, following in pairwise([*self._lines, ""]):
            if following and set(following.strip()) == {"-"}:
                inside = line.strip() == "Parameters"
            elif inside and (match := _NUMPY.match(line)):
                yield match["name"], ""
            elif inside and line.startswith(" "):
                yield "", line


def _joined(pieces: Iterable[_Piece]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for name, line in pieces:
        if name:
            lines = found[name] = []
        lines.append(line.strip())
    return {name: "\n".join(said).strip() for name, said in found.items()}
