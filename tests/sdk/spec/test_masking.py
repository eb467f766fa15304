"""What is masked is the same however output is cut into pieces, and no value survives."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte.spec.masking import MASK, Mask
from flyte.spec.secret_forms import forms_of

SECRET = b"hunter2-and-more"


def mask_of(*values: bytes) -> Mask:
    mask = Mask.of(values)
    assert mask is not None
    return mask


def masked(values: Iterable[bytes], text: bytes) -> bytes:
    """The same by the plainest means: each byte of each occurrence is marked, and each row of marks replaced."""
    marks = bytearray(len(text))
    for form in {form for value in values for form in forms_of(value)}:
        for found in re.finditer(b"(?=" + re.escape(form) + b")", text):
            marks[found.start() : found.start() + len(form)] = b"\1" * len(form)
    shown, inside = bytearray(), False
    for byte, mark in zip(text, marks, strict=True):
        if not mark:
            shown.append(byte)
        elif not inside:
            shown += MASK
        inside = bool(mark)
    return bytes(shown)


# Few letters, so that values overlap with themselves, with each other and with what is around them.
letters = st.sampled_from([b"a", b"b", b"z", b"\n"])
values = st.lists(letters, min_size=4, max_size=9).map(b"".join)


@st.composite
def secrets_and_text(draw: st.DrawFn) -> tuple[list[bytes], list[bytes]]:
    """Values with something to recognise, and pieces of output in which they occur, whole and in part."""
    secrets = draw(st.lists(values.filter(lambda value: bool(forms_of(value))), min_size=1, max_size=3))
    forms = sorted({form for value in secrets for form in forms_of(value)})
    form = st.sampled_from(forms)
    part = st.builds(lambda whole, start, end: whole[start:end], form, st.integers(0, 8), st.integers(0, 12))
    pieces = draw(st.lists(st.one_of(form, part, letters, st.binary(max_size=3)), max_size=12))
    return secrets, pieces


def fed(mask: Mask, pieces: Sequence[bytes]) -> bytes:
    stream = mask.stream()
    return b"".join([*map(stream.feed, pieces), stream.finish()])


@given(secrets_and_text())
def test_every_byte_of_every_occurrence_is_masked_and_no_other(case: tuple[list[bytes], list[bytes]]) -> None:
    secrets, pieces = case
    text = b"".join(pieces)
    assert mask_of(*secrets).bytes_of(text) == masked(secrets, text)


@given(secrets_and_text(), st.lists(st.integers(1, 5), min_size=1))
def test_any_cut_into_pieces_gives_the_same(case: tuple[list[bytes], list[bytes]], sizes: list[int]) -> None:
    secrets, pieces = case
    mask, text = mask_of(*secrets), b"".join(pieces)
    cut: list[bytes] = []
    start = 0
    while start < len(text):
        size = sizes[len(cut) % len(sizes)]
        cut.append(text[start : start + size])
        start += size
    assert fed(mask, cut) == fed(mask, pieces) == mask.bytes_of(text)


@given(secrets_and_text(), st.lists(st.booleans(), min_size=1))
def test_no_value_survives_however_long_the_pauses(case: tuple[list[bytes], list[bytes]], pauses: list[bool]) -> None:
    secrets, pieces = case
    stream = mask_of(*secrets).stream()
    output = bytearray()
    for number, byte in enumerate(b"".join(pieces)):
        output += stream.feed(bytes([byte]))
        if pauses[number % len(pauses)]:
            output += stream.release()
    output += stream.finish()
    assert not [form for secret in secrets for form in forms_of(secret) if form in output]


@given(st.binary(min_size=300, max_size=2000), st.binary(max_size=50), st.lists(st.integers(1, 400), min_size=1))
def test_a_long_value_is_masked_as_one_in_any_pieces(value: bytes, around: bytes, sizes: list[int]) -> None:
    mask = mask_of(value)
    text = around + value.strip() + around
    stream, output, start = mask.stream(), bytearray(), 0
    for number in range(len(text)):
        size = sizes[number % len(sizes)]
        output += stream.feed(text[start : start + size])
        start += size
    output += stream.finish()
    assert output == mask.bytes_of(text)
    assert value.strip() not in output
    assert len(output) <= 2 * len(around) + len(MASK) * (1 + 2 * len(around) // 4)


@given(st.lists(st.binary(max_size=30)))
def test_output_without_a_value_is_not_changed(pieces: list[bytes]) -> None:
    # A form in it by chance is as good as impossible.
    assert fed(mask_of(b"\xf0\x01canary-of-all-canaries"), pieces) == b"".join(pieces)


def test_an_end_is_held_only_while_it_could_be_the_beginning_of_a_value() -> None:
    stream = mask_of(SECRET).stream()
    assert stream.feed(b"password: hunter") == b"password: "
    assert stream.feed(b"s like cats\n") == b"hunters like cats\n"
    assert stream.feed(b"hunter2-and") == b""
    assert stream.feed(b"-more") == MASK
    assert stream.feed(b"!\n") == b"!\n"
    assert stream.feed(b"ends with h") == b"ends with "
    assert stream.finish() == b"h"


def test_a_pause_lets_go_of_what_tells_nothing() -> None:
    stream = mask_of(SECRET).stream()
    assert stream.feed(b"continue? [y/h") == b"continue? [y/"
    assert stream.may_release
    assert stream.release() == b"h"
    assert not stream.may_release
    assert stream.release() == b""
    assert stream.feed(b"]") == b"]"


def test_a_value_typed_slowly_shows_three_characters_of_itself() -> None:
    stream = mask_of(SECRET).stream()
    output = b"".join(stream.feed(bytes([byte])) + stream.release() for byte in SECRET + b".")
    assert output == b"hun" + MASK + b"."


def test_values_that_touch_or_overlap_become_one_mark() -> None:
    mask = mask_of(b"abcdef", b"defghi")
    assert mask.bytes_of(b"<abcdefabcdef>") == b"<[secret]>"
    assert mask.bytes_of(b"<abcdefghi>") == b"<[secret]>"
    assert mask.bytes_of(b"<abcdef abcdef>") == b"<[secret] [secret]>"


def test_a_value_that_begins_like_another_does_not_hide_it() -> None:
    stream = mask_of(b"token", b"token-of-love").stream()
    assert stream.feed(b"token") + stream.feed(b"-of-l") == b""
    assert stream.feed(b"ife") == b"[secret]-of-life"


def test_part_of_a_long_value_is_masked_too() -> None:
    value = b"".join(b"%05d" % number for number in range(400))
    shown = mask_of(value).bytes_of(value[:1500])
    assert shown.startswith(MASK)
    assert len(shown) < 300


def test_texts_are_masked_as_they_are_encoded() -> None:
    mask = mask_of("grün-wie-gras".encode())
    assert mask.text("ist grün-wie-gras\udc80") == "ist [secret]\\udc80"


def test_a_pickle_that_holds_a_value_is_recognised() -> None:
    import pickle

    mask = mask_of(SECRET)
    assert mask.occurs_in(pickle.dumps(ValueError("with", {"a": SECRET.decode()})))
    assert mask.occurs_in(pickle.dumps(ValueError(base64.b64encode(SECRET))))
    assert not mask.occurs_in(pickle.dumps(ValueError("without")))


@pytest.mark.parametrize("values", [[], [b""], [b"abc", b"12", b"\n\n\n\n"]])
def test_without_a_value_to_recognise_there_is_no_mask(values: list[bytes]) -> None:
    assert Mask.of(values) is None


def test_neither_the_mask_nor_the_memory_of_re_shows_a_value() -> None:
    mask = mask_of(SECRET)
    assert "hunt" not in repr(mask)
    cache = vars(re)["_cache"]
    assert not [key for key in cache if b"hunt" in repr(key).encode()]
