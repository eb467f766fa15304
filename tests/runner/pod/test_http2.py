"""The few frames of HTTP/2 that first words need, without a socket."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte.runner.pod.http2 import GrpcConnection, ProtocolError, _number

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7


def frame(kind: int, content: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    return len(content).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + content


def message(content: bytes, *, compressed: bool = False) -> bytes:
    return struct.pack(">?I", compressed, len(content)) + content


def connected() -> tuple[GrpcConnection, int]:
    connection = GrpcConnection("host:1")
    call = connection.call("/service/Method", b"request", last=False)
    connection.to_send()
    return connection, call


@pytest.mark.parametrize(
    ("value", "octets"), [(0, b"\x00"), (126, b"\x7e"), (127, b"\x7f\x00"), (1337, b"\x7f\xba\x09")]
)
def test_numbers_are_written_as_hpack_says(value: int, octets: bytes) -> None:
    assert _number(value) == octets


def test_a_connection_begins_with_the_preface_and_the_call() -> None:
    connection = GrpcConnection("host:1")
    connection.call("/service/Method", b"request", last=True, metadata=(("authorization", "Bearer t"),))
    sent = connection.to_send()
    assert sent.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert sent.endswith(frame(DATA, message(b"request"), flags=1, stream=1))
    for text in (b"/service/Method", b"host:1", b"application/grpc", b"Bearer t"):
        assert text in sent
    assert connection.to_send() == b""


def test_calls_have_numbers_of_their_own() -> None:
    connection = GrpcConnection("host:1")
    assert [connection.call("/a", b"", last=True) for _ in range(3)] == [1, 3, 5]


@pytest.mark.parametrize("message_bytes", [1 << 14, 1 << 20])
def test_a_request_that_would_need_a_window_is_refused(message_bytes: int) -> None:
    with pytest.raises(ValueError, match="too long"):
        GrpcConnection("host:1").call("/a", bytes(message_bytes), last=True)


@given(st.lists(st.binary(max_size=40), max_size=6), st.data())
def test_messages_come_whole_however_they_are_cut(contents: list[bytes], data: st.DataObject) -> None:
    connection, call = connected()
    stream = b"".join(map(message, contents))
    frames = b""
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        piece, stream = stream[:cut], stream[cut:]
        padding = data.draw(st.integers(0, 3))
        if padding:
            frames += frame(DATA, bytes((padding,)) + piece + bytes(padding), flags=8, stream=call)
        else:
            frames += frame(DATA, piece, stream=call)
    while frames:
        cut = data.draw(st.integers(1, len(frames)))
        connection.received(frames[:cut])
        frames = frames[cut:]
    assert list(connection.messages) == [(call, content) for content in contents]


def test_settings_and_pings_are_answered_and_answers_are_not() -> None:
    connection, _ = connected()
    connection.received(frame(SETTINGS, bytes(6)) + frame(PING, b"12345678"))
    assert connection.to_send() == frame(SETTINGS, flags=1) + frame(PING, b"12345678", flags=1)
    connection.received(frame(SETTINGS, flags=1) + frame(PING, b"12345678", flags=1) + frame(99, b"?"))
    assert connection.to_send() == b""


@pytest.mark.parametrize("last", [frame(HEADERS, b"", flags=5, stream=1), frame(RST_STREAM, bytes(4), stream=1)])
def test_a_call_that_ends_without_a_message_has_ended(last: bytes) -> None:
    connection, call = connected()
    connection.received(last)
    assert call in connection.ended
    assert not connection.messages


@pytest.mark.parametrize(
    "said",
    [
        frame(GOAWAY, bytes(8)),
        frame(DATA, message(b"zipped", compressed=True), stream=1),
        frame(DATA, struct.pack(">?I", False, 1 << 31), stream=1),
    ],
)
def test_what_it_does_not_know_ends_the_connection(said: bytes) -> None:
    connection, _ = connected()
    with pytest.raises(ProtocolError):
        connection.received(said)
