"""A fake of Vault: the part of its HTTP interface that the secrets service uses, as strict as the real one there.

It is not Vault. It answers over real HTTP with the paths, methods, statuses and error texts of Vault's documentation,
checks tokens, policies, namespaces and AppRole logins, encrypts for real, keeps versions of keys, and refuses what it
does not know. Whoever has a real server names it in FLYTEPLANE_TEST_VAULT_ADDRESS and FLYTEPLANE_TEST_VAULT_TOKEN (a
dev server with the transit engine enabled); the contract of key providers then runs over that as well.

    with FakeVault(tmp_path) as vault:
        vault.make_key("flyteplane")
        settings = vault.settings("flyteplane")
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from flyteplane.secrets.settings import AppRole, VaultSettings

MOUNT = "transit"


class _Answer(Exception):
    """Ends a request with a status and a body."""

    def __init__(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        self.status = status
        self.body = body


def _refusal(status: HTTPStatus, *errors: str) -> _Answer:
    return _Answer(status, {"errors": list(errors)})


class TransitKey:
    """A key of the transit engine, with its versions."""

    def __init__(self, *, derived: bool = False) -> None:
        self.derived = derived
        self.min_decryption_version = 1
        self._versions = [os.urandom(32)]

    @property
    def latest(self) -> int:
        return len(self._versions)

    def rotate(self) -> None:
        self._versions.append(os.urandom(32))

    def encrypt(self, plaintext: str) -> str:
        try:
            content = base64.b64decode(plaintext, validate=True)
        except (binascii.Error, ValueError):
            raise _refusal(HTTPStatus.BAD_REQUEST, "failed to base64-decode plaintext") from None
        if self.derived:
            raise _refusal(HTTPStatus.BAD_REQUEST, "missing 'context' for key derivation; the key was created using a derived key")  # noqa: E501  # fmt: skip
        nonce = os.urandom(12)
        sealed = nonce + AESGCM(self._versions[-1]).encrypt(nonce, content, None)
        return f"vault:v{self.latest}:{base64.b64encode(sealed).decode()}"

    def decrypt(self, ciphertext: str) -> str:
        found = re.fullmatch(r"vault:v(\d+):(.*)", ciphertext)
        if found is None:
            raise _refusal(HTTPStatus.BAD_REQUEST, "invalid ciphertext: no prefix")
        version = int(found[1])
        if version < self.min_decryption_version:
            raise _refusal(HTTPStatus.BAD_REQUEST, "ciphertext or signature version is disallowed by policy (too old)")
        if version > self.latest:
            raise _refusal(HTTPStatus.BAD_REQUEST, "invalid ciphertext: version is too new")
        try:
            sealed = base64.b64decode(found[2], validate=True)
            content = AESGCM(self._versions[version - 1]).decrypt(sealed[:12], sealed[12:], None)
        except (binascii.Error, InvalidTag, ValueError):
            raise _refusal(HTTPStatus.BAD_REQUEST, "invalid ciphertext: unable to decrypt") from None
        return base64.b64encode(content).decode()

    def describe(self) -> dict[str, Any]:
        return {
            "type": "aes256-gcm96",
            "derived": self.derived,
            "supports_encryption": True,
            "supports_decryption": True,
            "latest_version": self.latest,
            "min_decryption_version": self.min_decryption_version,
            "keys": {str(number): 0 for number in range(1, self.latest + 1)},
        }


def policy_of(key: str) -> dict[str, set[str]]:
    """What the documentation tells operators to allow, and nothing else."""
    return {
        f"{MOUNT}/encrypt/{key}": {"update"},
        f"{MOUNT}/decrypt/{key}": {"update"},
        f"{MOUNT}/keys/{key}": {"read"},
        f"{MOUNT}/keys/{key}/rotate": {"update"},
    }


class FakeVault:
    """The server. Tests change its attributes under way."""

    def __init__(self, folder: Path, *, namespace: str = "") -> None:
        self.keys: dict[str, TransitKey] = {}
        self.tokens: dict[str, dict[str, set[str]]] = {}
        self.secret_ids: dict[tuple[str, str], dict[str, set[str]]] = {}
        self.sealed = False
        self.namespace = namespace
        self.before_answer: Callable[[], None] = lambda: None
        self.asked: list[str] = []
        self._folder = folder
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self.token_file = folder / "vault-token"
        self.secret_id_file = folder / "vault-secret-id"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, on the port of before if there was one."""
        vault = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                _handle(vault, self)

            do_GET = do_POST = do_PUT = do_DELETE = do_LIST = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Be gone."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def make_key(self, name: str, *, derived: bool = False) -> None:
        """As `vault write -f transit/keys/NAME`."""
        self.keys[name] = TransitKey(derived=derived)

    def settings(self, key: str, *, approle: bool = False, timeout_s: float = 5.0) -> VaultSettings:
        """What an operator writes, with credentials that hold until they are revoked."""
        role: AppRole | None = None
        if approle:
            secret_id = str(uuid4())
            self.secret_ids[("flyteplane-role", secret_id)] = policy_of(key)
            self.secret_id_file.write_text(f"{secret_id}\n")
            role = AppRole(role_id="flyteplane-role", secret_id_file=self.secret_id_file)
        else:
            self.issue_token(key)
        return VaultSettings(
            address=self.address,
            key=key,
            namespace=self.namespace,
            token_file=None if approle else self.token_file,
            approle=role,
            timeout_s=timeout_s,
        )

    def issue_token(self, key: str) -> None:
        """A new token in the file, as an agent writes it; those before it are revoked."""
        token = f"hvs.{uuid4().hex}"
        self.tokens = {token: policy_of(key)}
        self.token_file.write_text(f"{token}\n")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _handle(vault: FakeVault, request: BaseHTTPRequestHandler) -> None:
    body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
    vault.before_answer()
    try:
        content = _route(vault, request, body)
        answer = _Answer(HTTPStatus.OK, content)
    except _Answer as refused:
        answer = refused
    encoded = json.dumps({"request_id": str(uuid4()), "lease_id": "", **answer.body}).encode()
    request.send_response(answer.status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(encoded)))
    request.end_headers()
    request.wfile.write(encoded)


def _route(vault: FakeVault, request: BaseHTTPRequestHandler, body: bytes) -> dict[str, Any]:
    path = request.path.removeprefix("/v1/")
    vault.asked.append(f"{request.command} {path}")
    if vault.sealed:
        raise _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "Vault is sealed")
    if not request.path.startswith("/v1/") or request.headers.get("X-Vault-Request") != "true":
        raise _refusal(HTTPStatus.PRECONDITION_FAILED, "missing required X-Vault-Request header")
    if (request.headers.get("X-Vault-Namespace") or "").strip("/") != vault.namespace:
        raise _refusal(HTTPStatus.NOT_FOUND, f'no handler for route "{path}". route entry not found.')
    fields = _fields(body)
    if path == "auth/approle/login":
        return _log_in(vault, fields)
    capability = {"GET": "read", "POST": "update", "PUT": "update", "DELETE": "delete"}.get(request.command, "list")
    allowed = vault.tokens.get(request.headers.get("X-Vault-Token") or "", {}).get(path, set())
    if capability not in allowed:
        raise _refusal(HTTPStatus.FORBIDDEN, "1 error occurred:\n\t* permission denied\n\n")
    return _transit(vault, capability, path.split("/"), fields)


def _fields(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        fields = json.loads(body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise _refusal(HTTPStatus.BAD_REQUEST, "error parsing JSON")
    return fields


def _log_in(vault: FakeVault, fields: dict[str, Any]) -> dict[str, Any]:
    policy = vault.secret_ids.get((fields.get("role_id", ""), fields.get("secret_id", "")))
    if policy is None:
        raise _refusal(HTTPStatus.BAD_REQUEST, "invalid role or secret ID")
    token = f"hvs.{uuid4().hex}"
    vault.tokens[token] = policy
    return {"auth": {"client_token": token, "policies": ["default"], "lease_duration": 3600, "renewable": True}}


def _transit(vault: FakeVault, capability: str, path: list[str], fields: dict[str, Any]) -> dict[str, Any]:
    match path:
        case [_, "keys", name] if capability == "read":
            return {"data": {"name": name, **_key(vault, name, HTTPStatus.NOT_FOUND).describe()}}
        case [_, "keys", name, "rotate"]:
            _key(vault, name, HTTPStatus.BAD_REQUEST).rotate()
            return {"data": {}}
        case [_, "encrypt", name]:
            text = _only(fields, "plaintext")
            return {"data": {"ciphertext": _key(vault, name, HTTPStatus.BAD_REQUEST).encrypt(text)}}
        case [_, "decrypt", name]:
            text = _only(fields, "ciphertext")
            return {"data": {"plaintext": _key(vault, name, HTTPStatus.BAD_REQUEST).decrypt(text)}}
    raise _refusal(HTTPStatus.METHOD_NOT_ALLOWED, "unsupported operation")


def _key(vault: FakeVault, name: str, missing: HTTPStatus) -> TransitKey:
    key = vault.keys.get(name)
    if key is None:
        raise _refusal(missing, *(["encryption key not found"] if missing is HTTPStatus.BAD_REQUEST else []))
    return key


def _only(fields: dict[str, Any], name: str) -> str:
    """The one field of a request; a field that the fake does not know could change the answer of the real one."""
    given = {field: value for field, value in fields.items() if value is not None}
    if set(given) != {name} or not isinstance(given[name], str):
        raise _refusal(HTTPStatus.BAD_REQUEST, f"the fake knows the field {name} only, and was given {sorted(given)}")
    return str(given[name])
