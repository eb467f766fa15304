"""Where an S3-compatible store is and how it is reached, as checked values."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from flyteplane.foundation.errors import InvalidArgument
from flyteplane.objects.keys import validate_key

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """Raises InvalidArgument for what cannot be meant."""

    url: str
    """`s3://bucket` or `s3://bucket/prefix`: everything of the platform lies below it."""
    endpoint: str = ""
    """URL of an S3-compatible server. Empty: the environment's (`AWS_ENDPOINT_URL_S3`), or AWS."""
    public_endpoint: str = ""
    """What signed URLs name, for clients that reach the server by another address. Empty: `endpoint`."""
    region: str = ""
    """Empty: the environment's (`AWS_REGION`), or us-east-1."""
    access_key_file: Path | None = None
    """File with the access key, read again every few minutes. None: the standard AWS environment or web identity."""
    secret_key_file: Path | None = None
    ca_file: Path | None = None
    """Certificates to trust besides those of the system, for a server of one's own."""
    allow_http: bool = False
    """Whether endpoints may be http://: keys are never sent, content is not encrypted."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "s3" or _BUCKET.fullmatch(parts.netloc) is None or parts.query or parts.fragment:
            raise InvalidArgument(
                f"{self.url!r} names no bucket", reason="OBJECTS", field="url", mend="Write s3://bucket/prefix."
            )
        if self.prefix:
            try:
                validate_key(self.prefix)
            except InvalidArgument as error:
                raise InvalidArgument(
                    f"the prefix in {self.url!r} is no beginning of keys: {error.message}", field="url"
                ) from error
        for field in ("endpoint", "public_endpoint"):
            self._check_endpoint(getattr(self, field), field=field)
        if (self.access_key_file is None) != (self.secret_key_file is None):
            missing = "access_key_file" if self.access_key_file is None else "secret_key_file"
            raise InvalidArgument(f"{missing} is missing beside the other one", reason="OBJECTS", field=missing)

    @property
    def bucket(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def prefix(self) -> str:
        """Beginning of all keys, without slashes at its ends; may be empty."""
        return urlsplit(self.url).path.strip("/")

    @property
    def root(self) -> str:
        """URI of the store; the rest of an object's URI is its key. Ends in "/"."""
        return f"s3://{self.bucket}/{self.prefix}/" if self.prefix else f"s3://{self.bucket}/"

    @property
    def name(self) -> str:
        """The store for people, in logs and errors."""
        return f"bucket {self.bucket!r} at {self.endpoint or 'AWS'}"

    def _check_endpoint(self, endpoint: str, *, field: str) -> None:
        if not endpoint:
            return
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.username:
            raise InvalidArgument(
                f"{endpoint!r} is no endpoint", reason="OBJECTS", field=field, mend="Write https://host or with :port."
            )
        if parts.scheme == "http" and not self.allow_http:
            raise InvalidArgument(
                f"{endpoint!r} is not encrypted",
                reason="OBJECTS",
                field=field,
                mend="Use https, or say allow_http: true.",
            )
