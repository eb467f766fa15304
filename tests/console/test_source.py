"""The source of a task is read out of a bundle that nobody vouches for."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from flyteplane.console.source import module_in
from flyteplane.foundation.errors import ResourceExhausted


def packed(*members: tuple[str, bytes], links: tuple[str, ...] = ()) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


def test_a_module_or_a_package_is_found() -> None:
    bundle = packed(("a/b.py", b"one"), ("a/c/__init__.py", "zw\u00f6lf".encode()))
    assert module_in(bundle, "a.b") == "one"
    assert module_in(bundle, "a.c") == "zw\u00f6lf"
    assert module_in(bundle, "a") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"no tar"), packed(("a.py", b"x" * 9000))[:60]],
    ids=["nothing", "no gzip", "no tar", "cut off"],
)
def test_what_is_no_bundle_has_no_source(content: bytes) -> None:
    assert module_in(content, "a") is None


def test_links_are_not_followed() -> None:
    assert module_in(packed(links=("a.py",)), "a") is None


def test_a_bundle_that_would_fill_the_memory_is_refused() -> None:
    bomb = packed(("bomb", b"\0" * (3 << 20)), ("a.py", b"x"))
    assert len(bomb) < 1 << 14
    with pytest.raises(ResourceExhausted):
        module_in(bomb, "a", most_unpacked_bytes=1 << 20)


def test_a_long_module_is_cut() -> None:
    text = module_in(packed(("a.py", b"x" * (1 << 20))), "a")
    assert text is not None
    assert len(text) == 512 * 1024
