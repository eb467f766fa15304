#!/usr/bin/env python3
"""Makes the Secrets of an installation, as a folder that `kubectl apply -k` takes:

    python deploy/kubernetes/make_secrets.py FOLDER --edge flyte.example.org --database-password-file password
    kubectl apply -k FOLDER

Keys are random. Certificates are of an authority that the call makes and keeps in the folder (`authority/`): it
vouches for the processes of the platform among themselves, to workers and, unless you replace `edge/`, to clients, who
then need `authority/ca.crt`. What is there already is kept: another call adds what is missing and changes nothing else.

The folder is all that can read the secrets of the platform's users: keep it as you keep the root key of anything, in a
safe or an encrypted repository, and never beside the manifests.
"""

from __future__ import annotations

import argparse
import base64
import datetime
import ipaddress
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAMESPACE: Final = "flyteplane"
#: The names that the platform asks for; clients ask for those of --edge.
INTERNAL_NAME: Final = "flyteplane-internal"
WORKERS_NAME: Final = "flyteplane-workers"
_AUTHORITY_DAYS: Final = 3650
_CERTIFICATE_DAYS: Final = 825


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes what is missing; returns the exit code."""
    parser = argparse.ArgumentParser(description="Makes the Secrets of an installation.")
    parser.add_argument("folder", type=Path, help="where they are made; what is there already stays")
    parser.add_argument(
        "--edge", required=True, action="append", help="host name or address by which clients reach it; repeatable"
    )
    parser.add_argument(
        "--database-password-file", type=Path, required=True, help="file with the password of PostgreSQL and no more"
    )
    parser.add_argument(
        "--objects-access-key-file", type=Path, help="with its secret key; left out: the pods' identity"
    )
    parser.add_argument("--objects-secret-key-file", type=Path, help="the secret key of the object store")
    parser.add_argument("--stores-tls", type=Path, help="folder with etcd-ca.crt, etcd.crt, etcd.key, database-ca.crt")
    options = parser.parse_args(arguments)
    if (options.objects_access_key_file is None) != (options.objects_secret_key_file is None):
        parser.error("--objects-access-key-file and --objects-secret-key-file go together")
    before = os.umask(0o077)
    try:
        _make_secrets(options)
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")
    finally:
        os.umask(before)
    return 0


def _make_secrets(options: argparse.Namespace) -> None:
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "flyteplane-database": _passwords(folder, options.database_password_file),
        "flyteplane-keys": [_once(folder / "keys/tokens.key", lambda: secrets.token_bytes(32))],
        "flyteplane-secrets-key": [_once(folder / "secrets-key/current", _text_key)],
        "flyteplane-bootstrap": [_once(folder / "bootstrap/api-key", lambda: f"{secrets.token_hex(32)}\n".encode())],
        **_certificates(folder, edge=options.edge),
    }
    if options.objects_access_key_file is not None:
        contents["flyteplane-objects"] = [
            _copied(options.objects_access_key_file, folder / "objects/access-key"),
            _copied(options.objects_secret_key_file, folder / "objects/secret-key"),
        ]
    if options.stores_tls is not None:
        files = sorted(path for path in options.stores_tls.iterdir() if path.is_file())
        contents["flyteplane-stores-tls"] = [_copied(path, folder / "stores-tls" / path.name) for path in files]
    _write_kustomization(folder, contents)


def _write_kustomization(folder: Path, contents: dict[str, list[Path]]) -> None:
    generators = [
        {"name": name, "type": "Opaque", "files": [str(path.relative_to(folder)) for path in paths]}
        for name, paths in contents.items()
    ]
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "generatorOptions": {"disableNameSuffixHash": True, "labels": {"app.kubernetes.io/part-of": "flyteplane"}},
        "secretGenerator": generators,
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization, sort_keys=False))


def _passwords(folder: Path, given: Path) -> list[Path]:
    """A password file of PostgreSQL: one for any server, as the URL in flyteplane.yaml says which."""
    password = given.read_text().strip().replace("\\", "\\\\").replace(":", "\\:")
    return [_written(folder / "database/pgpass", f"*:*:*:*:{password}\n".encode())]


def _text_key() -> bytes:
    return base64.b64encode(secrets.token_bytes(32))


def _once(path: Path, make: Callable[[], bytes]) -> Path:
    return path if path.exists() else _written(path, make())


def _copied(given: Path, path: Path) -> Path:
    content = given.read_bytes()
    return _written(path, content if path.suffix in (".crt", ".key") else content.strip())


def _written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def _certificates(folder: Path, *, edge: Sequence[str]) -> dict[str, list[Path]]:
    """Secret by Secret the files of certificates: internal, workers, edge."""
    authority = _Authority(folder / "authority")
    wanted = {"internal": [INTERNAL_NAME], "workers": [WORKERS_NAME], "edge": list(edge)}
    contents = {}
    for name, names in wanted.items():
        own = folder / name
        if not (own / "tls.crt").exists():
            authority.issue(own, names=names)
        if name != "edge" and not (own / "ca.crt").exists():
            _written(own / "ca.crt", authority.certificate)
        contents[f"flyteplane-{name}-tls"] = sorted(own.iterdir())
    return contents


class _Authority:
    """The installation's own authority, made on the first call."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "ca.crt").exists():
            key = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"flyteplane {secrets.token_hex(4)}")])
            certificate = (
                _unsigned(name, key, issuer=name, days=_AUTHORITY_DAYS)
                .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                .sign(key, hashes.SHA256())
            )
            _written(folder / "ca.key", _pem(key))
            _written(folder / "ca.crt", certificate.public_bytes(serialization.Encoding.PEM))
        self.certificate = (folder / "ca.crt").read_bytes()
        self._issuer = x509.load_pem_x509_certificate(self.certificate).subject
        self._key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)

    def issue(self, folder: Path, *, names: Sequence[str]) -> None:
        """Writes `tls.crt` and `tls.key` for a server, and client, of these names."""
        assert isinstance(self._key, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            _unsigned(subject, key, issuer=self._issuer, days=_CERTIFICATE_DAYS)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        _written(folder / "tls.key", _pem(key))
        _written(folder / "tls.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _unsigned(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, issuer: x509.Name, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


if __name__ == "__main__":
    sys.exit(main())
