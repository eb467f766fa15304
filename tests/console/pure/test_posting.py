"""What is posted is bounded, and whoever posts too much is told what to do instead."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from flyteplane.console.posting import MOST_FILES, MOST_GIB, posted_form, posted_text
from flyteplane.foundation.errors import InvalidArgument


def request(body: bytes, *, length: str | None = None, kind: str = "multipart/form-data; boundary=b") -> Request:
    headers = {"content-type": kind, "content-length": str(len(body)) if length is None else length}

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    raw = [(name.encode(), value.encode()) for name, value in headers.items() if value]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive)


def folder(files: int) -> bytes:
    part = '--b\r\nContent-Disposition: form-data; name="x.file"; filename="d/{0}"\r\n\r\n{0}\r\n'
    return ("".join(part.format(number) for number in range(files)) + "--b--\r\n").encode()


async def test_files_of_a_folder_come_with_their_paths_and_go_with_the_form() -> None:
    async with posted_form(request(folder(2))) as form:
        files = form.getlist("x.file")
        assert [(file.filename, await file.read()) for file in files if not isinstance(file, str)] == [
            ("d/0", b"0"),
            ("d/1", b"1"),
        ]
    assert all(file.file.closed for file in files if not isinstance(file, str))


async def test_fields_are_read_without_files_too() -> None:
    async with posted_form(request(b"a=1&a=2", kind="application/x-www-form-urlencoded")) as form:
        assert form.getlist("a") == ["1", "2"]


def fields(count: int, *, size: int) -> bytes:
    part = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n' + bytes(size) + b"\r\n"
    return part * count + b"--b--\r\n"


@pytest.mark.parametrize(
    ("posted", "limit"),
    [
        (request(folder(MOST_FILES + 1)), f"{MOST_FILES} files"),
        (request(folder(MOST_FILES + 101)), f"{MOST_FILES} files"),
        (request(b"", length=str((MOST_GIB + 1) << 30)), f"{MOST_GIB} GiB"),
        (request(b"a=1", length=""), f"{MOST_GIB} GiB"),
        (request(b"&".join([b"a=1"] * 5001), kind="application/x-www-form-urlencoded"), "5000 fields"),
        (request(b"no form", kind="multipart/form-data"), "files"),
        (request(fields(3, size=12 << 20)), "5000 fields"),
        (request(folder(1), kind="multipart/form-data; boundary=b; charset=punycode"), "files"),
    ],
    ids=["files", "far more files", "bytes", "unknown length", "fields", "no boundary", "text", "an encoding"],
)
async def test_what_is_too_much_is_refused_with_a_way_out(posted: Request, limit: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        async with posted_form(posted):
            pass
    assert limit in refused.value.limit
    assert "object store" in refused.value.mend


async def test_a_form_of_a_few_words_holds_no_more() -> None:
    words = "application/x-www-form-urlencoded"
    assert (await posted_text(request(b"key=k&next=%2Fruns", kind=words), most_bytes=100))["next"] == "/runs"
    long = request(b"key=" + bytes(100), kind=words)
    for posted in (long, request(b"key=k", kind=words, length=""), request(b"a=1&" * 1001, kind=words)):
        with pytest.raises(InvalidArgument):
            await posted_text(posted, most_bytes=10_000 if posted is not long else 100)
