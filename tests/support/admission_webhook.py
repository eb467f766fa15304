"""An admission webhook on this machine that denies the pods of one platform, with words of the test's choice."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.support.certificates import Certificates
from tests.support.kubernetes import KubernetesUnderTest


class DenyingWebhook:
    """Denies while its context lasts. The API server has to be on this machine."""

    def __init__(self, cluster: KubernetesUnderTest, certificates: Certificates, *, words: str) -> None:
        self._cluster = cluster
        self._authority = certificates.ca_file.read_bytes()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                verdict = {"uid": review["request"]["uid"], "allowed": False, "status": {"message": words}}
                answer = json.dumps({**review, "request": None, "response": verdict}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server.cert_file, certificates.server.key_file)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def _body(self) -> dict[str, object]:
        return {
            "metadata": {"name": self._cluster.name},
            "webhooks": [
                {
                    "name": "deny.example.com",
                    "clientConfig": {
                        "url": f"https://127.0.0.1:{self._server.server_address[1]}/deny",
                        "caBundle": base64.b64encode(self._authority).decode(),
                    },
                    "objectSelector": {"matchLabels": {"flyteplane.dev/installation": self._cluster.name}},
                    "rules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                    ],
                    "failurePolicy": "Ignore",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                }
            ],
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        self._cluster.admission.create_validating_webhook_configuration(self._body())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cluster.admission.delete_validating_webhook_configuration(self._cluster.name)
        self._server.shutdown()
        self._server.server_close()
