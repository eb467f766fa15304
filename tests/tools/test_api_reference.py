"""The API reference is what the protos say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import api_reference

COUNTER = """\
// Counts things.
syntax = "proto3";
package flyteapi.counter.v1;

// Counts.
service CounterService {
  // One more. Statuses: NOT_FOUND.
  rpc Count(CountRequest) returns (stream CountResponse);
}
// What to count.
message CountRequest {
  // Never empty.
  string name = 1;
  map<string, Kind> kinds = 2;
  oneof by { uint32 times = 3; }
}
// The count.
message CountResponse { repeated uint64 counts = 1; }
// Of things.
enum Kind {
  // Refused.
  KIND_UNSPECIFIED = 0;
}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one proto."""
    proto = tmp_path / "protos" / "flyteapi" / "counter" / "v1" / "counter_service.proto"
    proto.parent.mkdir(parents=True)
    proto.write_text(COUNTER)
    return tmp_path


def test_a_page_says_what_the_comments_say(root: Path) -> None:
    index, page = api_reference.pages(root)
    assert "(counter_counter_service.md#count)" in index.text
    for expected in (
        "Counts things.",
        "`rpc` [CountRequest](#countrequest) → stream [CountResponse](#countresponse)",
        "One more. Statuses: NOT_FOUND.",
        "| `name` | string | Never empty. |",
        "| `kinds` | map of string to [Kind](#kind) |  |",
        "| `times` | uint32 | *one of `by`.* |",
        "| `counts` | repeated uint64 |  |",
        "| `KIND_UNSPECIFIED` | 0 | Refused. |",
    ):
        assert expected in page.text


def test_what_is_stale_or_gone_is_told_and_mended(root: Path) -> None:
    assert api_reference.differences(root) == ["README.md", "counter_counter_service.md"]
    api_reference.write(root)
    assert api_reference.differences(root) == []
    (root / "docs" / "api" / "gone_service.md").write_text("old")
    assert api_reference.differences(root) == ["gone_service.md"]
    api_reference.write(root)
    assert api_reference.differences(root) == []


def test_the_committed_reference_is_what_the_protos_say() -> None:
    assert api_reference.differences() == [], "run tools/api_reference.py"


def test_every_link_of_the_reference_leads_somewhere() -> None:
    pages = {page.name: page.text for page in api_reference.pages()}
    anchors = {
        (name, heading.lower().replace(".", "").replace(" ", "-"))
        for name, text in pages.items()
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    for name, text in pages.items():
        for page, anchor in re.findall(r"\]\(([\w.]*)#(\w+)\)", text):
            assert (page or name, anchor) in anchors, f"{name}: {page}#{anchor}"
