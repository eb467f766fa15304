"""Pages of lists that are held in memory."""

from __future__ import annotations

import pytest

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.rpc.list_pages import ListPage, list_page

NAMES = ["big", "a", "m", "z", "b"]


def page(entries: list[str], *, asked: int = 2, token: str = "", size: int = 1) -> ListPage[str]:
    return list_page(entries, name=str, size_bytes=lambda _: size, asked=asked, token=token)


def test_a_list_comes_whole_in_pages_in_its_own_order() -> None:
    for asked in (0, 1, 2, 4, 5, 6):
        found, token = list[str](), ""
        while True:
            made = page(NAMES, asked=asked, token=token)
            found += made.entries
            token = made.next_token
            if not token:
                break
        assert found == NAMES
    assert page([]) == ListPage(entries=[], next_token="")


def test_what_changes_between_two_pages_moves_nothing_else() -> None:
    token = page(NAMES).next_token
    assert page(["new", *NAMES], token=token).entries == ["m", "z"]
    assert page(["a", "m", "z"], token=token).entries == ["m", "z"], "an earlier one is gone"
    assert page(["big", "m", "z", "b"], token=token).entries == ["m", "z"], "the last one that was read is gone"
    assert page(["big"], token=token) == ListPage(entries=[], next_token="")


def test_a_page_ends_before_it_is_too_large_for_a_message() -> None:
    made = page(NAMES, asked=5, size=2 * 1024 * 1024)
    assert (made.entries, bool(made.next_token)) == (["big"], True)


@pytest.mark.parametrize("token", ["made up", "\u00fc", "Og==", "eDpi", "LTE6Yg==", "OTk5OTk5OTk5OTk5OTk6Yg=="])
def test_a_token_that_no_page_had_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        page(NAMES, token=token)
    assert (refusal.value.reason, refusal.value.field) == ("PAGE_TOKEN", "page_token")


def test_a_page_that_is_too_large_is_refused() -> None:
    with pytest.raises(InvalidArgument) as refusal:
        page(NAMES, asked=1001)
    assert refusal.value.reason == "PAGE_SIZE"
