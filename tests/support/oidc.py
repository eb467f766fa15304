"""An identity provider on a free port of this machine: discovery, keys that rotate, and tokens, good and bad.

It is the provider's side of OpenID Connect as far as a platform sees it; the signatures are real.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE: Final = "flyteplane-test"


class Issuer:
    """A running provider. `asked` counts how often its keys were fetched."""

    def __init__(self) -> None:
        self.asked = 0
        self.down = False
        self._published: dict[str, tuple[str, Any]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.rotate("first")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def rotate(self, key_id: str, *, algorithm: str = "ES256") -> None:
        """Sign with a new key from now on; only that one is published."""
        key: Any = ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else _rsa_key()
        self._published = {key_id: (algorithm, key)}

    def token(
        self, subject: str = "alice@example.org", *, headers: Mapping[str, Any] | None = None, **claims: Any
    ) -> str:
        """A token that is right, but for the claims and headers that are given; None leaves a claim out."""
        (key_id, (algorithm, key)) = next(iter(self._published.items()))
        content = self._claims(subject, claims)
        return jwt.encode(content, key, algorithm=algorithm, headers={"kid": key_id, **(headers or {})})

    def unsigned(self, subject: str = "alice@example.org") -> str:
        """A token of the algorithm "none"."""
        parts = [{"alg": "none", "typ": "JWT", "kid": "first"}, self._claims(subject, {})]
        return f"{'.'.join(_encoded(json.dumps(part).encode()) for part in parts)}."

    def signed_with_the_public_key(self, subject: str = "alice@example.org") -> str:
        """A token of HS256 whose secret is the provider's public key, which everybody has."""
        (key_id, (_, key)) = next(iter(self._published.items()))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        parts = [{"alg": "HS256", "typ": "JWT", "kid": key_id}, self._claims(subject, {})]
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
        return f"{signed}.{_encoded(hmac.digest(public, signed.encode(), hashlib.sha256))}"

    def signed_by_a_stranger(self, subject: str = "alice@example.org") -> str:
        """A token with the right key id and somebody else's signature."""
        stranger = ec.generate_private_key(ec.SECP256R1())
        headers = {"kid": next(iter(self._published))}
        return jwt.encode(self._claims(subject, {}), stranger, algorithm="ES256", headers=headers)

    def _claims(self, subject: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 600, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def _document(self, path: str) -> Mapping[str, Any] | None:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/keys":
            self.asked += 1
            return {"keys": [_published(key_id, *key) for key_id, key in self._published.items()]}
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = None if issuer.down else issuer._document(self.path)
                self.send_response(503 if document is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_: Any) -> None:
                """Nothing is to be said."""

        return Handler


def _published(key_id: str, algorithm: str, key: Any) -> dict[str, Any]:
    kind = ECAlgorithm if algorithm == "ES256" else RSAAlgorithm
    return {**json.loads(kind.to_jwk(key.public_key())), "kid": key_id, "use": "sig", "alg": algorithm}


def _rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
