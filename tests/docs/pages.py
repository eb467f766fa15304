"""The pages that a reader meets, and what of them is code: blocks, and words between backquotes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
"""What people wrote; `docs/api` is made from the protos and compared with them elsewhere."""

_BLOCK: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INDENTED: Final = re.compile(r"(?:^    \S.*\n(?:\n(?=    ))?)+", re.MULTILINE)
_WORDS: Final = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code of a page."""

    page: Path
    line: int
    language: str
    """As the page says; empty for an indented block and for one without a word."""

    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Return the blocks of a page, fenced and indented."""
    whole = page.read_text()
    for found in _BLOCK.finditer(whole):
        yield Block(page, whole.count("\n", 0, found.start()) + 1, found[1], found[2])
    rest = _without_blocks(whole)
    for found in _INDENTED.finditer(rest):
        yield Block(
            page, rest.count("\n", 0, found.start()) + 1, "", re.sub(r"^    ", "", found[0], flags=re.MULTILINE)
        )


def all_blocks(*languages: str) -> list[Block]:
    """Return the blocks of all pages that are in one of these languages."""
    return [block for page in PAGES for block in blocks(page) if block.language in languages]


def words(page: Path) -> list[str]:
    """Return what stands between single backquotes."""
    return _WORDS.findall(_without_blocks(page.read_text()))


def _without_blocks(text: str) -> str:
    return _BLOCK.sub(lambda found: "\n" * found[0].count("\n"), text)


def anchor(heading: str) -> str:
    """Return the anchor that a renderer of Markdown gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
