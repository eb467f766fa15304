"""However a program writes a secret down, one of its known forms is in the text."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte.spec.secret_forms import forms_of

VALUE = 'p4ss/w0rd+ü "it\'s" \\ done'
WAYS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "repr": repr,
    "ascii": ascii,
    "repr of bytes": lambda text: repr(text.encode()),
    "repr in a list": lambda text: repr([text, '"', "'"]),
    "repr of a text with it": lambda text: repr(f"password: {text}"),
    "repr of a text with a quote of each kind": lambda text: repr(f"'\"{text}"),
    "JSON": json.dumps,
    "JSON that is no ASCII": lambda text: json.dumps({"password": text}, ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "repr in JSON": lambda text: json.dumps({"message": repr(text)}),
    "JSON in repr": lambda text: repr(json.dumps(text)),
    "quoted": quote,
    "quoted wholly": lambda text: quote(text, safe=""),
    "a form": lambda text: urlencode({"password": text}),
    "quoted with plus": quote_plus,
    "quoted in lower case": lambda text: re.sub("%..", lambda escape: escape[0].lower(), quote(text, safe="")),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 for URLs without padding": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "a header of HTTP": lambda text: "Basic " + base64.b64encode(f"user:{text}".encode()).decode(),
    "base64 of something longer": lambda text: base64.b64encode(f"12{text}34".encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "upper hex": lambda text: text.encode().hex().upper(),
}


def known(value: bytes, text: bytes) -> bool:
    return any(form in text for form in forms_of(value))


@pytest.mark.parametrize("way", WAYS)
def test_a_value_is_known_in_every_way_of_writing_it(way: str) -> None:
    assert known(VALUE.encode(), WAYS[way](VALUE).encode())


@given(st.text(min_size=4).filter(lambda text: len(text.strip()) >= 4 and text.isprintable()))
def test_any_text_is_known_in_every_way_of_writing_it(value: str) -> None:
    forms = forms_of(value.encode())
    for way, write in WAYS.items():
        assert any(form in write(value).encode() for form in forms), way


@given(st.binary(min_size=4).filter(forms_of))
def test_a_value_that_is_no_text_is_known_as_variables_show_it(value: bytes) -> None:
    forms = forms_of(value)
    for text in (value, repr(value).encode(), value.hex().encode(), base64.b64encode(value)):
        assert any(form in text for form in forms)
    shown = os.fsdecode(value).encode("utf-8", "backslashreplace")
    assert any(form in shown for form in forms)


@pytest.mark.parametrize("value", [b"", b"abc", b" a  ", b"\n\n\n\n\n", "äöü".encode(), b"ab\nc"])
def test_what_is_too_short_has_no_forms(value: bytes) -> None:
    assert len(value.strip().decode()) < 4 or value == b"ab\nc"
    assert not any(known(value, text) for text in (b"abc", b"ab", b"    ", b"\n\n\n\n"))


def test_each_line_of_a_value_is_known_by_itself() -> None:
    value = b'{\n  "user": "root",\r\n  "password": "hunter2"\n}\n'
    for line in (b'"user": "root",', b'"password": "hunter2"'):
        assert known(value, b"before " + line + b" after")
    assert not known(value, b"{\n  }")


def test_the_white_space_around_a_value_does_not_matter() -> None:
    assert known(b"hunter2\n", b"hunter2")
    assert known(b"hunter2\n", base64.b64encode(b"hunter2"))
    assert known(b"hunter2\n", base64.b64encode(b"hunter2\n"))


@pytest.mark.parametrize("width", [64, 76])
def test_base64_in_lines_is_known_line_by_line(width: int) -> None:
    value = bytes(range(200))
    encoded = base64.b64encode(value).decode()
    forms = {form.decode(errors="replace") for form in forms_of(value)}
    lines = [encoded[start : start + width] for start in range(0, len(encoded), width)]
    assert all(any(form in line for form in forms) for line in lines)


def test_the_forms_of_an_ordinary_password_are_few() -> None:
    assert len(forms_of(b"correct-horse-battery-staple")) < 20


def test_a_large_value_has_few_forms_that_are_large() -> None:
    assert sum(map(len, forms_of(os.urandom(1 << 20)))) < 40 << 20
