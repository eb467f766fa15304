"""The ways in which the value of a secret is written down: as it is, escaped, encoded, and line by line.

A program seldom prints a secret as it is. It prints `repr(os.environ)`, a URL with a password in it, a JSON document,
the header of a request in base64. Whoever wants to keep a value out of a log has to know all of these.

What is not a secret's form here is not recognised anywhere: fewer than 4 characters, the value reversed, encrypted,
compressed or printed character by character, and whatever a program derives from it.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

LEAST_CHARACTERS: Final = 4
"""Shorter values, and shorter lines of values, are not recognised: they occur in any text by chance."""

_MOST_ESCAPED_BYTES: Final = 64 << 10
"""Longer values are recognised as they are, in hex, in base64 and line by line: not escaped or quoted as a whole."""

_LEAST_WRAPPED: Final = 8
_LINE_WIDTHS_OF_BASE64: Final = (64, 76)
_UNQUOTED_IN_URLS: Final = ("", "/", "!*'()")
"""What `quote` with no, and with its usual exceptions leaves alone, and what `encodeURIComponent` does."""

_TO_URL_ALPHABET: Final = bytes.maketrans(b"+/", b"-_")
_URL_ESCAPE: Final = re.compile("%[0-9A-F]{2}")
_NEEDS_ESCAPE: Final = re.compile(r"""["'\\]""")


def forms_of(value: bytes) -> set[bytes]:
    """Return every form of a value that is recognised; none if it is too short.

    A value is also known without the white space around it, which is how programs use what they read from a file.
    """
    if not _is_long_enough(value):
        return set()
    forms: set[bytes] = set()
    for whole in {value, value.strip()}:
        forms.add(whole)
        forms.update(_encoded(whole))
        if len(whole) <= _MOST_ESCAPED_BYTES:
            forms.update(_escaped(whole), _in_urls(whole), _in_lines_of_base64(whole))
    for line in filter(_is_long_enough, _lines(value)):
        forms.update(_escaped(line))
    return {form for form in forms if len(form) >= LEAST_CHARACTERS}


def _is_long_enough(value: bytes) -> bool:
    return len(value.strip().decode("utf-8", "surrogateescape")) >= LEAST_CHARACTERS


def _lines(value: bytes) -> Iterator[bytes]:
    """The lines of a value that has several; what is no text has none."""
    lines = value.splitlines()
    if len(lines) > 1 and _is_text(value):
        yield from (line.strip() for line in lines)


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _escaped(value: bytes) -> set[bytes]:
    """As a text or bytes in the syntax of Python and JSON, and one of these inside of another."""
    texts = {os.fsdecode(value)}
    for _ in range(2):
        texts |= {escape(text) for text in texts if _is_changed(text) for escape in _ESCAPES}
    forms = {text.encode("utf-8", errors) for text in texts for errors in ("surrogateescape", "backslashreplace")}
    return forms | {value, *(_python(value, quoted=quoted) for quoted in (True, False))}


def _is_changed(text: str) -> bool:
    return not (text.isascii() and text.isprintable()) or _NEEDS_ESCAPE.search(text) is not None


def _python(value: bytes, *, quoted: bool) -> bytes:
    # Both kinds of quotes in front make `repr` choose single ones, whatever comes after.
    pieces = (repr(b"'\"" + piece)[len("b'\\'\"") : -1] for piece in value.split(b"'"))
    return ("\\'" if quoted else "'").join(pieces).encode()


def _python_text(text: str, *, quoted: bool, represent: Callable[[str], str]) -> str:
    pieces = (represent("'\"" + piece)[len("'\\'\"") : -1] for piece in text.split("'"))
    return ("\\'" if quoted else "'").join(pieces)


_ESCAPES: Final[tuple[Callable[[str], str], ...]] = (
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: _python_text(text, quoted=True, represent=repr),
    lambda text: _python_text(text, quoted=False, represent=repr),
    lambda text: _python_text(text, quoted=True, represent=ascii),
    lambda text: _python_text(text, quoted=False, represent=ascii),
)


def _in_urls(value: bytes) -> Iterator[bytes]:
    for text in {quote_plus(value), *(quote(value, safe=safe) for safe in _UNQUOTED_IN_URLS)}:
        yield text.encode()
        yield _URL_ESCAPE.sub(lambda escape: escape[0].lower(), text).encode()


def _encoded(value: bytes) -> Iterator[bytes]:
    yield value.hex().encode()
    yield value.hex().upper().encode()
    for form in _in_base64(value):
        yield form
        yield form.translate(_TO_URL_ALPHABET)


def _in_base64(value: bytes) -> Iterator[bytes]:
    """By itself, and in the middle of something longer, where three beginnings are possible.

    Characters that the value shares with what is around it belong to neither: they tell 4 bits of it at most.
    """
    for before in range(3):
        encoded = b64encode(bytes(before) + value)
        start, end = -(-before * 8 // 6), (before + len(value)) * 8 // 6
        yield encoded[start:]
        yield encoded[start:].rstrip(b"=")
        yield encoded[start:end]


def _in_lines_of_base64(value: bytes) -> Iterator[bytes]:
    encoded = b64encode(value)
    for width in _LINE_WIDTHS_OF_BASE64:
        lines = (encoded[start : start + width] for start in range(0, len(encoded), width))
        yield from (line for line in lines if len(line) >= _LEAST_WRAPPED)
