"""Reading certificates: what fits together is used, everything else is named."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.certificates import Authority

from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import InvalidArgument
from flyteplane.rpc.certificates import CertificateFiles, Certificates

NOW = datetime.datetime.now(datetime.UTC)
NAME = "flyteplane-internal"


def files_of(authority: Authority) -> CertificateFiles:
    made = authority.issue("process", dns=(NAME,))
    return CertificateFiles(
        cert_file=made.cert_file, key_file=made.key_file, ca_file=authority.ca_file, name=NAME, section="tls.internal"
    )


def opened(files: CertificateFiles, *, at: datetime.datetime = NOW) -> Certificates:
    return Certificates(files, clock=ManualClock(start=at.timestamp()))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def test_what_fits_together_is_used(authority: Authority) -> None:
    files = files_of(authority)
    content = opened(files).current()
    assert content.chain == files.cert_file.read_bytes()
    assert content.key == files.key_file.read_bytes()
    assert files.ca_file is not None
    assert content.authorities == files.ca_file.read_bytes()


def _foreign_key(files: CertificateFiles, other: Authority) -> CertificateFiles:
    return replace(files, key_file=other.issue("other").key_file)


def _no_key(files: CertificateFiles, _: Authority) -> CertificateFiles:
    return replace(files, key_file=files.cert_file)


def _foreign_authority(files: CertificateFiles, other: Authority) -> CertificateFiles:
    return replace(files, ca_file=other.ca_file)


def _missing(files: CertificateFiles, _: Authority) -> CertificateFiles:
    return replace(files, cert_file=files.cert_file.with_name("gone.pem"))


def _not_pem(files: CertificateFiles, _: Authority) -> CertificateFiles:
    return replace(files, ca_file=files.key_file)


def _other_name(files: CertificateFiles, _: Authority) -> CertificateFiles:
    return replace(files, name="flyteplane-workers")


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        (_missing, "cert_file", "gone.pem cannot be read: No such file"),
        (_foreign_key, "key_file", "is not the key of the certificate in"),
        (_no_key, "key_file", "holds no private key"),
        (_foreign_authority, "cert_file", "was not issued by an authority in"),
        (_not_pem, "ca_file", "holds no certificate in PEM"),
        (_other_name, "cert_file", "does not bear the DNS name 'flyteplane-workers' (it bears: flyteplane-internal)"),
    ],
)
def test_what_does_not_fit_is_named(
    authority: Authority,
    tmp_path: Path,
    wrong: Callable[[CertificateFiles, Authority], CertificateFiles],
    field: str,
    words: str,
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        opened(wrong(files_of(authority), Authority(tmp_path / "other")))
    assert (refusal.value.reason, refusal.value.field) == ("TLS", f"tls.internal.{field}")
    assert words in refusal.value.message
    assert refusal.value.mend


@pytest.mark.parametrize(
    ("at", "words"),
    [(NOW + datetime.timedelta(days=2), "has expired at"), (NOW - datetime.timedelta(days=9), "holds only from")],
)
def test_a_certificate_out_of_its_time_is_refused(authority: Authority, at: datetime.datetime, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        opened(files_of(authority), at=at)


def test_new_files_are_used_only_once_they_fit_together(authority: Authority) -> None:
    files = files_of(authority)
    certificates = opened(files)
    first = certificates.current()
    old_key = files.key_file.read_bytes()
    files_of(authority)
    new_key = files.key_file.read_bytes()
    # As seen between the change of one file and that of the other.
    files.key_file.write_bytes(old_key)
    assert certificates.current() is first
    files.key_file.unlink()
    assert certificates.current() is first
    files.key_file.write_bytes(new_key)
    second = certificates.current()
    assert second.key == new_key
    assert certificates.current() is second


def test_files_behind_a_link_that_changes_are_read_again(authority: Authority, tmp_path: Path) -> None:
    """As Kubernetes changes the files of a Secret that is mounted."""
    for version in ("1", "2"):
        made = authority.issue("process", dns=(NAME,))
        (tmp_path / version).mkdir()
        made.cert_file.rename(tmp_path / version / "tls.crt")
        made.key_file.rename(tmp_path / version / "tls.key")
    link = tmp_path / "present"
    link.symlink_to("1")
    certificates = opened(CertificateFiles(cert_file=link / "tls.crt", key_file=link / "tls.key"))
    assert certificates.current().key == (tmp_path / "1" / "tls.key").read_bytes()
    link.unlink()
    link.symlink_to("2")
    assert certificates.current().key == (tmp_path / "2" / "tls.key").read_bytes()


def test_for_every_call_the_files_are_looked_at_once_a_second(authority: Authority) -> None:
    clock = ManualClock(start=NOW.timestamp())
    certificates = Certificates(files_of(authority), clock=clock)
    first = certificates.current_lately()
    files_of(authority)
    assert certificates.current_lately() is first
    clock.advance(1.0)
    assert certificates.current_lately() is not first
