"""Digests are SHA-256 and tell parts apart."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from flyteplane.foundation.digest import digest, digest_of_file, digest_of_parts, is_digest

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_digest_is_sha_256_in_hexadecimal() -> None:
    assert digest(b"") == EMPTY
    assert is_digest(EMPTY)
    for text in ("", EMPTY[:-1], EMPTY.upper(), EMPTY + "0", "g" * 64):
        assert not is_digest(text)


def test_a_file_has_the_digest_of_its_content(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * 3_000_001)
    assert digest_of_file(path) == digest(b"x" * 3_000_001)


@given(st.lists(st.binary(max_size=6), max_size=5), st.lists(st.binary(max_size=6), max_size=5))
def test_different_parts_have_different_digests(first: list[bytes], second: list[bytes]) -> None:
    assert (digest_of_parts(first) == digest_of_parts(second)) is (first == second)


def test_text_counts_as_utf_8() -> None:
    assert digest_of_parts(["ä"]) == digest_of_parts(["ä".encode()])
