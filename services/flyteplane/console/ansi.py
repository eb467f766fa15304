"""Captured output as lines of coloured pieces.

Terminals act on escape sequences; a page shows the colours among them and drops the rest: what moves a cursor, sets a
title or names a link is no text. A line that was written over (carriage return) is shown as it was left.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from flyteplane.console.visible import visible

#: CSI sequences, OSC and other strings up to their end, and short escapes.
_ESCAPE: Final = re.compile(r"\x1b(?:\[([0-9;:?]*)[ -/]*([@-~])|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)")
_NAMES: Final = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_STYLES: Final = {1: "bold", 2: "dim", 3: "italic", 4: "underline"}
#: A line that is longer is cut into several, so that no output can stop a page.
LONGEST_LINE: Final = 16_384


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line with one style. `classes` are CSS classes, separated by spaces; the text is plain."""

    text: str
    classes: str


Line = Sequence[Piece]


class AnsiLines:
    """Reads output as it comes; bytes may be cut anywhere."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._partial = ""
        self._colour = ""
        self._styles: set[str] = set()

    def feed(self, data: bytes) -> list[Line]:
        """The lines that are complete now."""
        text = self._partial + self._decoder.decode(data)
        *lines, self._partial = text.split("\n")
        complete = [piece for line in lines for piece in _bounded(line)]
        while len(self._partial) > LONGEST_LINE:
            complete.append(self._partial[:LONGEST_LINE])
            self._partial = self._partial[LONGEST_LINE:]
        return [self._line(line) for line in complete]

    def end(self) -> list[Line]:
        """The last line, if it has no end."""
        rest, self._partial = self._partial + self._decoder.decode(b"", final=True), ""
        return [self._line(rest)] if rest else []

    def _line(self, line: str) -> Line:
        kept = line.rstrip("\r").rpartition("\r")[2]
        return [Piece(visible(text), classes) for text, classes in self._pieces(kept) if text]

    def _pieces(self, line: str) -> Iterator[tuple[str, str]]:
        start = 0
        for found in _ESCAPE.finditer(line):
            yield line[start : found.start()], self._classes()
            if found[2] == "m":
                self._style(found[1] or "")
            start = found.end()
        yield line[start:], self._classes()

    def _classes(self) -> str:
        return " ".join([*([self._colour] if self._colour else []), *sorted(self._styles)])

    def _style(self, parameters: str) -> None:
        numbers = [int(number) if number.isdecimal() else 0 for number in re.split("[;:]", parameters)[:16]]
        while numbers:
            number = numbers.pop(0)
            if number in (38, 48):
                # Colours of larger palettes have one or three parameters of their own.
                del numbers[: 2 if numbers[:1] == [5] else 4]
            else:
                self._one(number)

    def _one(self, number: int) -> None:
        if number == 0:
            self._colour, self._styles = "", set()
        elif number in _STYLES:
            self._styles.add(f"ansi-{_STYLES[number]}")
        elif number == 22:
            self._styles -= {"ansi-bold", "ansi-dim"}
        elif number in (23, 24):
            self._styles.discard("ansi-italic" if number == 23 else "ansi-underline")
        elif 30 <= number <= 37 or 90 <= number <= 97:
            self._colour = f"ansi-{_NAMES[number % 10]}"
        elif number == 39:
            self._colour = ""


def _bounded(line: str) -> list[str]:
    return [line[start : start + LONGEST_LINE] for start in range(0, max(len(line), 1), LONGEST_LINE)]


def plain(text: str) -> str:
    """A text such as an error message without escape sequences."""
    return _ESCAPE.sub("", text)
