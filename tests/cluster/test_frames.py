"""Frames survive any cut of the byte stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyteplane.cluster.frames import MOST_FRAME_BYTES, BrokenFrame, FrameDecoder, encode_frame


@given(messages=st.lists(st.binary(max_size=200)), cuts=st.lists(st.integers(1, 60)))
def test_messages_come_out_as_they_went_in(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(encode_frame, messages))
    decoder, received = FrameDecoder(), []
    for size in cuts:
        received += decoder.feed(stream[:size])
        stream = stream[size:]
    received += decoder.feed(stream)
    assert received == messages


def test_a_length_that_no_message_has_is_refused() -> None:
    with pytest.raises(BrokenFrame):
        FrameDecoder().feed((MOST_FRAME_BYTES + 1).to_bytes(4, "little"))
