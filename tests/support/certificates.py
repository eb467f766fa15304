"""Certificates for tests: an authority of one's own, and whatever it signs."""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY: Final = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, in PEM."""

    cert_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """An authority and two that it signed: a server for 127.0.0.1 and localhost, and a client."""

    ca_file: Path
    server: Identity
    client: Identity


def make_certificates(folder: Path) -> Certificates:
    """Make all of them anew in a folder."""
    authority = Authority(folder)
    return Certificates(ca_file=authority.ca_file, server=authority.issue("server"), client=authority.issue("client"))


class Authority:
    """Signs certificates, which lie beside its own in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = [x509.NameAttribute(NameOID.COMMON_NAME, f"authority {x509.random_serial_number():x}"[:64])]
        self._name = x509.Name(name)
        certificate = (
            _certificate(self._name, self._key.public_key(), issuer=self._name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str,
        *,
        dns: Sequence[str] = ("localhost",),
        addresses: Sequence[str] = ("127.0.0.1",),
        ends: datetime.datetime | None = None,
    ) -> Identity:
        """Sign one more certificate, in place of the one of that name if there is one; each file changes at once.

        Args:
            ends: when it expires; tomorrow unless told.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [*map(x509.DNSName, dns), *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses)]
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            _certificate(subject, key.public_key(), issuer=self._name, ends=ends)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        made = Identity(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        _replace(made.cert_file, certificate.public_bytes(serialization.Encoding.PEM))
        _replace(
            made.key_file,
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
        return made


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    os.replace(new, path)


def _certificate(
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    *,
    issuer: x509.Name,
    ends: datetime.datetime | None = None,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 2 * _DAY)
        .not_valid_after(ends or now + _DAY)
    )
