"""Certificates in files: read, checked as a whole, and read again when the files change.

Whoever issues certificates replaces them while the platform runs, and not all files at the same instant. What was read
is used only if it fits together: the key belongs to the certificate, the certificate holds at present, bears the name
that the other side will ask for, and comes from the authority beside it. At start anything else is refused; later it is
logged once, and what was used before goes on being used.
"""

from __future__ import annotations

import datetime
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from cryptography import x509

    from flyteplane.foundation.clock import Clock

_log = get_logger("rpc.certificates")

#: Reason of every refusal of a certificate.
REFUSED: Final = "TLS"
#: How long what was read is taken as what the files say, where files are looked at for every call.
_FRESH_S: Final = 1.0
_REISSUE: Final = "Have a new certificate issued, with its key."


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """Where a certificate lies. All files are PEM."""

    cert_file: Path
    """The certificate, followed by those of authorities between it and the root."""
    key_file: Path
    ca_file: Path | None = None
    """Authorities by which the other side is judged, and by which the certificate must have been issued."""
    name: str = ""
    """The DNS name that the certificate must bear; empty for any."""
    section: str = "tls"
    """Where the operator's file names them, for errors."""


@dataclass(frozen=True, slots=True)
class CertificateContent:
    """What the files of one certificate held at one time; it fits together."""

    chain: bytes
    key: bytes
    authorities: bytes
    """Empty without a `ca_file`."""
    expires_at: float
    """Of the certificate itself; seconds since the epoch."""


class Certificates:
    """The present content of the files of one certificate; safe to ask from any thread.

    Raises InvalidArgument (TLS) that names the file and what is wrong with it.
    """

    def __init__(self, files: CertificateFiles, *, clock: Clock) -> None:
        self._files = files
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = self._look()
        self._looked_at = clock.monotonic()
        self._content = read_certificate(files, now=clock.now())

    @property
    def files(self) -> CertificateFiles:
        """Where they lie."""
        return self._files

    def current(self) -> CertificateContent:
        """What to use now; the same object until the files hold something else that fits together."""
        with self._lock:
            if (found := self._look()) != self._seen:
                self._seen = found
                self._take()
            return self._content

    def current_lately(self) -> CertificateContent:
        """The same, from at most a second ago: for every call rather than for every connection."""
        now = self._clock.monotonic()
        if now - self._looked_at < _FRESH_S:
            return self._content
        self._looked_at = now
        return self.current()

    def _take(self) -> None:
        try:
            found = read_certificate(self._files, now=self._clock.now())
        except InvalidArgument as error:
            _log.error("new_certificates_refused", problem=error.public_text)
            return
        if found != self._content:
            self._content = found
            _log.info("new_certificates_taken", section=self._files.section)

    def _look(self) -> tuple[object, ...]:
        """Tells one state of the files from another, also when a link to their folder is all that changes."""
        files = (self._files.cert_file, self._files.key_file, self._files.ca_file)
        return tuple(_look_at(file) for file in files if file is not None)


def read_certificate(files: CertificateFiles, *, now: float) -> CertificateContent:
    """What the files hold, if it fits together at `now` (seconds since the epoch). Raises as `Certificates`."""
    chain_pem, key_pem = _read(files, "cert_file"), _read(files, "key_file")
    authorities_pem = _read(files, "ca_file") if files.ca_file is not None else b""
    chain = _certificates(files, "cert_file", chain_pem)
    _refuse_foreign_key(files, chain[0], key_pem)
    _refuse_untimely(files, chain[0], now=now)
    if files.name:
        _refuse_other_name(files, chain[0])
    if files.ca_file is not None:
        _refuse_foreign_issuer(files, chain, _certificates(files, "ca_file", authorities_pem))
    return CertificateContent(chain_pem, key_pem, authorities_pem, chain[0].not_valid_after_utc.timestamp())


def _read(files: CertificateFiles, which: str) -> bytes:
    path: Path = getattr(files, which)
    try:
        return path.read_bytes()
    except OSError as error:
        mend = "Give the path of a PEM file that the platform may read."
        raise _refusal(files, which, f"cannot be read: {error.strerror}", mend) from error


def _certificates(files: CertificateFiles, which: str, content: bytes) -> list[x509.Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise _refusal(files, which, "holds no certificate in PEM", _REISSUE) from None


def _refuse_foreign_key(files: CertificateFiles, certificate: x509.Certificate, key_pem: bytes) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError):
        # The library's words could quote the key.
        mend = "Give the key in PEM, without a passphrase."
        raise _refusal(files, "key_file", "holds no private key that can be read", mend) from None
    if key.public_key() != certificate.public_key():
        raise _refusal(files, "key_file", f"is not the key of the certificate in {files.cert_file}", _REISSUE)


def _refuse_untimely(files: CertificateFiles, certificate: x509.Certificate, *, now: float) -> None:
    at = datetime.datetime.fromtimestamp(now, datetime.UTC)
    if at >= certificate.not_valid_after_utc:
        raise _refusal(files, "cert_file", f"has expired at {certificate.not_valid_after_utc:%F %T} UTC", _REISSUE)
    if at < certificate.not_valid_before_utc:
        what = f"holds only from {certificate.not_valid_before_utc:%F %T} UTC on"
        raise _refusal(files, "cert_file", what, "See that the clocks of both machines are right.")


def _refuse_other_name(files: CertificateFiles, certificate: x509.Certificate) -> None:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        found = []
    if files.name not in found:
        raise _refusal(
            files,
            "cert_file",
            f"does not bear the DNS name {files.name!r} (it bears: {', '.join(found) or 'none'})",
            f"Have it issued with {files.name} among its subject alternative names.",
        )


def _refuse_foreign_issuer(
    files: CertificateFiles, chain: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate]
) -> None:
    """Follow the issuers from the certificate up to one of the authorities."""
    last, rest = chain[0], list(chain[1:])
    while not any(_issued(last, by=authority) for authority in authorities):
        above = next((one for one in rest if _issued(last, by=one)), None)
        if above is None:
            raise _refusal(
                files,
                "cert_file",
                f"was not issued by an authority in {files.ca_file}",
                "Give the authority that has issued it, and the certificates between the two behind the certificate.",
            )
        last = above
        rest.remove(above)


def _issued(certificate: x509.Certificate, *, by: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _look_at(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


def _refusal(files: CertificateFiles, which: str, what: str, mend: str) -> InvalidArgument:
    field = f"{files.section}.{which}"
    return InvalidArgument(f"{field}: {getattr(files, which)} {what}", reason=REFUSED, field=field, mend=mend)
