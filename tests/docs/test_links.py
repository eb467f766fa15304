"""Links between pages lead somewhere, and every page is found from the first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.pages import PAGES, ROOT, anchor

LINK = re.compile(r"\]\(([^)\s]+)\)")


def links(page: Path) -> Iterator[tuple[Path, str]]:
    for target in LINK.findall(page.read_text()):
        if not target.startswith(("http://", "https://")):
            file, _, place = target.partition("#")
            yield (page.parent / file).resolve() if file else page, place


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    broken = []
    for file, place in links(page):
        if not file.exists():
            broken.append(str(file))
        elif place:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            broken += [] if place in map(anchor, headings) else [f"{file.name}#{place}"]
    assert broken == []


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {file for file, _ in links(ROOT / "README.md")}
    assert [page.name for page in PAGES[1:] if page not in linked] == []
