"""What a docstring says of a function and of its parameters, in the Google, numpy and reST styles."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

_REST = re.compile(r"^:param\s+(?:[^:]*\s)?(?P<name>\w+):\s*(?P<text>.*)$")
_REST_RETURN = re.compile(r"^:returns?:\s*(?P<text>.*)$")
_GOOGLE = re.compile(r"^\s+(?P<name>\w+)(?:\s*\([^)]*\))?:\s*(?P<text>.*)$")
_NUMPY = re.compile(r"^(?P<name>\w+)\s*:\s*.*$")
_GOOGLE_INPUTS: Final = frozenset({"Args:", "Arguments:", "Parameters:"})
_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Notes?)(:)?\s*$")


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
        """What is said of each parameter."""
        return {**self._rest_inputs(), **self._google_inputs(), **self._numpy_inputs()}

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

    def _rest_inputs(self) -> dict[str, str]:
        return {match["name"]: match["text"].strip() for line in self._lines if (match := _REST.match(line))}

    def _google_inputs(self) -> dict[str, str]:
        found: dict[str, str] = {}
        inside = False
        for line in self._lines:
            if not line.startswith(" ") and line:
                inside = line.strip() in _GOOGLE_INPUTS
            elif inside and (match := _GOOGLE.match(line)):
                found[match["name"]] = match["text"].strip()
        return found

    def _numpy_inputs(self) -> dict[str, str]:
        found: dict[str, str] = {}
        inside = False
        for line, following in zip(self._lines, [*self._lines[1:], ""], strict=False):
            if following and set(following.strip()) == {"-"}:
                inside = line.strip() == "Parameters"
            elif inside and (match := _NUMPY.match(line)):
                found[match["name"]] = following.strip()
        return found
