"""An S3-compatible server (moto) in this process, on a free port, and settings that reach it.

It keeps objects in memory and checks no signatures. It can be stopped and started again on its port, with what it had.
"""

from __future__ import annotations

import json
import logging
import re
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Final, Self

import pytest
from tests.support.certificates import Certificates

from flyteplane.objects.s3_settings import S3Settings

BUCKET: Final = "flyteplane"


class S3Server:
    """A running server with one bucket.

    Args:
        folder: where the files with the keys are made.
        certificates: makes it speak TLS.
    """

    def __init__(self, folder: Path, *, certificates: Certificates | None = None) -> None:
        self._folder = folder
        self._certificates = certificates
        self._port = 0
        self._server: Any = None
        self._thread: Thread | None = None

    @property
    def endpoint(self) -> str:
        return f"{'https' if self._certificates else 'http'}://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, on the port of before if there was one."""
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
        from werkzeug.serving import make_server

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        application = _one_at_a_time(DomainDispatcherApplication(create_backend_app))
        self._server = make_server(
            "127.0.0.1",
            self._port,
            application,
            threaded=True,
            request_handler=MotoRequestHandler,
            ssl_context=self._server_context(),
        )
        self._port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections from now on; what is stored stays until the end of this process."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server = self._thread = None

    def make_bucket(self, name: str = BUCKET) -> str:
        """Make a bucket; returns its name."""
        request = urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")
        with urllib.request.urlopen(request, timeout=10, context=self._client_context()):
            return name

    def keys(self, prefix: str) -> list[str]:
        """Names of the first thousand objects below a prefix of the bucket."""
        url = f"{self.endpoint}/{BUCKET}?list-type=2&prefix={prefix}"
        with urllib.request.urlopen(url, timeout=10, context=self._client_context()) as answer:
            return re.findall("<Key>(.*?)</Key>", answer.read().decode())

    def settings(self, prefix: str = "", **changes: Any) -> S3Settings:
        """Settings that reach this server, below a prefix of the bucket."""
        given: dict[str, Any] = {
            "url": f"s3://{BUCKET}/{prefix}",
            "endpoint": self.endpoint,
            "region": "us-east-1",
            "access_key_file": self._file("access-key", "test-access-key"),
            "secret_key_file": self._file("secret-key", "test-secret-key"),
            **({"ca_file": self._certificates.ca_file} if self._certificates else {"allow_http": True}),
        }
        return S3Settings(**{**given, **changes})

    def operator_section(self, prefix: str = "") -> str:
        """The section `objects` of an operator's file that reaches this server."""
        return f"objects: {json.dumps(self.operator_values(prefix))}\n"

    def operator_values(self, prefix: str = "") -> dict[str, Any]:
        """What the section `objects` of an operator's file says that reaches this server."""
        settings = self.settings(prefix)
        return {
            "url": settings.url,
            "endpoint": settings.endpoint,
            "region": settings.region,
            "access_key_file": str(settings.access_key_file),
            "secret_key_file": str(settings.secret_key_file),
            **({"ca_file": str(settings.ca_file)} if settings.ca_file else {"allow_http": True}),
        }

    def _server_context(self) -> ssl.SSLContext | None:
        if self._certificates is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificates.server.cert_file, self._certificates.server.key_file)
        return context

    def _client_context(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self._certificates.ca_file) if self._certificates else None

    def _file(self, name: str, content: str) -> Path:
        path = self._folder / name
        path.write_text(f"{content}\n")
        return path

    def __enter__(self) -> Self:
        self.start()
        self.make_bucket()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _one_at_a_time(application: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """moto looks whether an object is there and then puts it; between the two another request must not do the same."""
    lock = Lock()

    def serve(environ: Any, start_response: Any) -> Any:
        # Read beforehand: a client that sends slowly, or no more, holds nobody up.
        if length := environ.get("CONTENT_LENGTH"):
            environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(int(length)))
        with lock:
            return application(environ, start_response)

    return serve


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server for all tests of this process that leave it running; each takes a prefix of its own."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server
