"""Frames survive any cutting of the stream, and nothing but frames is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte.spec.frames import MAX_FRAME_BYTES, FrameDecoder, FrameTooLargeError, encode_frame


@given(st.lists(st.binary(max_size=300), max_size=12), st.lists(st.integers(1, 50), min_size=1))
def test_messages_arrive_whole_and_in_order_however_the_stream_is_cut(messages: list[bytes], cuts: list[int]) -> None:
    stream, decoder, found = b"".join(map(encode_frame, messages)), FrameDecoder(), []
    position, turn = 0, 0
    while position < len(stream):
        size = cuts[turn % len(cuts)]
        found += decoder.feed(stream[position : position + size])
        position, turn = position + size, turn + 1
    assert found == messages
    assert decoder.feed(encode_frame(b"next")) == [b"next"]


def test_a_frame_is_its_length_and_its_message() -> None:
    assert encode_frame(b"abc") == b"\x03\x00\x00\x00abc"
    assert encode_frame(b"") == b"\x00\x00\x00\x00"


def test_what_is_cut_off_waits_for_its_rest() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(encode_frame(b"abc")[:-1]) == []
    assert decoder.feed(b"c") == [b"abc"]


def test_a_message_beyond_the_limit_is_refused_on_both_sides() -> None:
    with pytest.raises(FrameTooLargeError, match="67108865 bytes is longer"):
        encode_frame(bytes(MAX_FRAME_BYTES + 1))
    with pytest.raises(FrameTooLargeError, match="carries no frames"):
        FrameDecoder().feed(b"HTTP/1.1 200 OK")


class CountingDecoder(FrameDecoder):
    """Counts how often the buffer is looked at."""

    cuts = 0

    def _cut(self, data: bytes | bytearray) -> tuple[list[bytes], int]:
        self.cuts += 1
        return super()._cut(data)


def test_one_huge_frame_in_small_pieces_is_looked_at_when_it_begins_and_when_it_is_there() -> None:
    stream, decoder = encode_frame(bytes(1 << 20)), CountingDecoder()
    found = [message for at in range(0, len(stream), 4096) for message in decoder.feed(stream[at : at + 4096])]
    assert [len(message) for message in found] == [1 << 20]
    # Once for each piece would be quadratic.
    assert decoder.cuts == 2


def test_many_small_frames_in_one_piece_are_all_found() -> None:
    messages = [str(number).encode() for number in range(10_000)]
    assert FrameDecoder().feed(b"".join(map(encode_frame, messages))) == messages
