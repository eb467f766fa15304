"""Objects at signed URLs, and what happens where the store cannot be reached from here."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from flyte.client.signed_urls import forget_what_is_out_of_reach, get_at, get_file_at, is_signed, put_at


class Bucket(http.server.BaseHTTPRequestHandler):
    """Keeps what is put; what was not put is forbidden, as with a signature that is too old."""

    kept: ClassVar[dict[str, tuple[bytes, str]]] = {}

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.kept[self.path] = (content, self.headers["Content-Type"])
        self._answer(200, b"")

    def do_GET(self) -> None:
        content, _ = self.kept.get(self.path, (b"", ""))
        self._answer(200 if content else 403, content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def bucket() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
    forget_what_is_out_of_reach()


async def test_what_is_put_is_got(bucket: str, tmp_path: Path) -> None:
    content = b"0123456789" * 300_000
    assert await put_at(f"{bucket}/k?signature=x", content, headers={"Content-Type": "application/octet-stream"})
    assert Bucket.kept["/k?signature=x"][1] == "application/octet-stream"
    assert await get_at(f"{bucket}/k?signature=x") == content
    assert await get_file_at(f"{bucket}/k?signature=x", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == content


async def test_a_refusal_is_for_this_url_alone(bucket: str) -> None:
    assert await get_at(f"{bucket}/expired") is None
    assert is_signed(f"{bucket}/another")


async def test_a_store_that_cannot_be_reached_is_not_tried_again() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert is_signed(f"{host}/k")
        assert not await put_at(f"{host}/k", b"", headers={})
        assert not is_signed(f"{host}/other")
    forget_what_is_out_of_reach()


@pytest.mark.parametrize("url", ["", "file:///tmp/x", "flyte-object://bundles/x"])
def test_other_addresses_are_no_signed_urls(url: str) -> None:
    assert not is_signed(url)
