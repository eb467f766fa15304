"""Certificates of a PostgreSQL connection: what the URL names is looked at before anything connects.

The driver tells a file that is not there, or a key of another certificate, like a server that is away; here each is
told by the parameter of the URL that names it.
"""

import ssl
from pathlib import Path
from typing import Final

from flyteplane.foundation.errors import FailedPrecondition, PlatformError
from flyteplane.records.postgres_address import PostgresAddress
from flyteplane.records.postgres_failures import origins

REASON: Final = "STORE_CERTIFICATE"
_AUTHORITIES: Final = "sslrootcert"
_OWN: Final = "sslcert"
_KEY: Final = "sslkey"


def check_certificates(address: PostgresAddress) -> None:
    """Raise FailedPrecondition (STORE_CERTIFICATE) for files that cannot be used."""
    files = address.certificates
    for parameter, path in files.items():
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise _refusal(address, parameter, f"{path} cannot be read: {error.strerror}") from error
    if _AUTHORITIES in files:
        try:
            ssl.create_default_context(cafile=files[_AUTHORITIES])
        except ssl.SSLError as error:
            raise _refusal(address, _AUTHORITIES, f"{files[_AUTHORITIES]} holds no certificates in PEM") from error
    if _OWN in files and _KEY in files and not address.key_has_password:
        _check_pair(address, files[_OWN], files[_KEY])


def _check_pair(address: PostgresAddress, certificate: str, key: str) -> None:
    try:
        # The empty password, so that nobody is asked for one.
        ssl.create_default_context().load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        problem = f"{certificate} and {key}, which {_KEY} names, are no certificate in PEM and its key"
        raise _refusal(address, _OWN, problem) from error


def certificate_refused(error: BaseException, address: PostgresAddress) -> PlatformError | None:
    """What to say of a server whose certificate we do not believe; None for any other error."""
    for one in origins(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            return FailedPrecondition(
                f"{address.name} shows a certificate that is not believed: {one.verify_message or one}",
                reason=REASON,
                field=_AUTHORITIES,
                mend="Name its authority as sslrootcert in the database URL, and as host the name that it bears.",
            )
    return None


def _refusal(address: PostgresAddress, parameter: str, problem: str) -> PlatformError:
    return FailedPrecondition(
        f"{address.name}: {parameter} is wrong, {problem}",
        reason=REASON,
        field=parameter,
        mend=f"Mend {parameter} in the database URL, or the file.",
    )
