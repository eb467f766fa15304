"""Clients of an S3-compatible store: where, with which keys, and how patient."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flyteplane.foundation.errors import FailedPrecondition
from flyteplane.objects.s3_settings import S3Settings

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Credential, S3Store

#: Keys of files are read again after this time.
_KEYS_HOLD: Final = timedelta(minutes=5)
_TIMES: Final[ClientConfig] = {
    "connect_timeout": timedelta(seconds=5),
    # Of one wait for bytes; the whole of a long object may take an hour.
    "read_timeout": timedelta(seconds=30),
    "timeout": timedelta(hours=1),
}
PATIENTLY: Final[RetryConfig] = {
    # Ten seconds together: the restart of a store is nobody's failure, and whoever stops has not long to wait.
    "max_retries": 7,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=3), "base": 2},
}
ONCE: Final[RetryConfig] = {"max_retries": 0}


def s3_client(settings: S3Settings, *, endpoint: str, retries: RetryConfig = PATIENTLY) -> S3Store:
    """A client that connects with its first call.

    Args:
        endpoint: URL of the server; empty for that of the environment, or AWS.

    Raises FailedPrecondition if a file of the settings cannot be read.
    """
    from obstore.store import S3Store

    given: dict[str, Any] = {"copy_if_not_exists": "multipart"}
    if endpoint:
        given["endpoint"] = endpoint
    if settings.region:
        given["region"] = settings.region
    if settings.access_key_file is not None and settings.secret_key_file is not None:
        keys = FileKeys(settings.access_key_file, settings.secret_key_file)
        keys()
        given["credential_provider"] = keys
    options: ClientConfig = {**_TIMES, "allow_http": settings.allow_http}
    if settings.ca_file is not None:
        options["root_certificate"] = _certificates(settings.ca_file)
    return S3Store(
        settings.bucket, prefix=settings.prefix or None, client_options=options, retry_config=retries, **given
    )


def _certificates(ca_file: Path) -> str:
    """What a file of authorities holds, which the client takes for a mistake of the program if it is none."""
    try:
        ssl.create_default_context(cadata=(content := _read(ca_file, field="ca_file")))
    except ssl.SSLError as error:
        raise FailedPrecondition(
            f"objects.ca_file: {ca_file} holds no certificates in PEM", reason="OBJECTS", field="objects.ca_file"
        ) from error
    return content


class FileKeys:
    """Access key and secret key out of files, read again now and then: whoever rotates them replaces the files."""

    def __init__(self, access_key: Path, secret_key: Path) -> None:
        self._access_key = access_key
        self._secret_key = secret_key

    def __call__(self) -> S3Credential:
        return {
            "access_key_id": _read(self._access_key, field="access_key_file"),
            "secret_access_key": _read(self._secret_key, field="secret_key_file"),
            "token": None,
            "expires_at": datetime.now(UTC) + _KEYS_HOLD,
        }


def _read(path: Path, *, field: str) -> str:
    setting = f"objects.{field}"
    try:
        content = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        problem = f"{setting}: {path} cannot be read, which is needed for the object store"
        raise FailedPrecondition(problem, reason="OBJECTS", field=setting, mend="Check the file.") from error
    if not content:
        problem = f"{setting}: {path} is empty"
        raise FailedPrecondition(problem, reason="OBJECTS", field=setting, mend="Write into it what belongs there.")
    return content
