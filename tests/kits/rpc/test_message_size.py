"""Cutting pages and pieces of streams by number and by bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flyteplane.rpc.message_size import fitting, pieces

entries = st.lists(st.binary(max_size=40), max_size=30)


@given(entries, st.integers(min_value=1, max_value=100))
def test_a_page_is_the_longest_beginning_that_fits_and_never_empty(items: list[bytes], most_bytes: int) -> None:
    page = fitting(items, size=len, most_bytes=most_bytes)
    assert page == items[: len(page)]
    assert len(page) >= min(1, len(items))
    assert len(page) <= 1 or sum(map(len, page)) <= most_bytes
    if len(page) < len(items):
        assert sum(map(len, items[: len(page) + 1])) > most_bytes


@given(entries, st.integers(min_value=1, max_value=7), st.integers(min_value=1, max_value=100))
def test_the_pieces_of_a_stream_are_bounded_and_lose_nothing(items: list[bytes], most: int, most_bytes: int) -> None:
    cut = list(pieces(items, size=len, most=most, most_bytes=most_bytes))
    assert [item for piece in cut for item in piece] == items
    for piece in cut:
        assert 1 <= len(piece) <= most
        assert len(piece) == 1 or sum(map(len, piece)) <= most_bytes
