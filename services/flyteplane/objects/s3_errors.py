"""What goes wrong with an S3-compatible store, in our own errors: each names the store and says the mend.

The client tells refusals apart only in part, so the status and the code that the server sent are read from its text.
What is not understood counts as a store that is away: trying again is then right.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from flyteplane.foundation.errors import FailedPrecondition, NotFound, PlatformError, Unavailable

_STATUS: Final = re.compile(r"status code: (\d{3})")
_CERTIFICATE: Final = re.compile(r"InvalidCertificate\(\s*(\w+)")
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
_DENIED: Final = frozenset({"401", "403"})
#: What a server says of a bucket that lies in another region.
_WRONG_REGION: Final = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed"})
#: Where the client looks for keys last of all: the metadata service of a machine of AWS.
_CREDENTIALS: Final = "http://169.254.169.254/"


class RangeBehindTheEnd(Exception):
    """A range was asked for that begins at the end of the object or behind it."""


@contextmanager
def translated(key: str, *, store: str) -> Iterator[None]:
    """Raise our errors for the client's.

    Args:
        key: of the object in question; empty for the whole store.
        store: its name for people.

    Raises:
        NotFound: OBJECT_NOT_FOUND.
        FailedPrecondition: STORE_NO_BUCKET, STORE_DENIED, STORE_REGION.
        Unavailable: STORE_UNREACHABLE, STORE_CERTIFICATE, STORE_NO_KEYS.
        RangeBehindTheEnd: see there.
    """
    from obstore.exceptions import AlreadyExistsError, BaseError

    try:
        yield
    except AlreadyExistsError:
        raise
    except (BaseError, OSError) as error:
        raise _public(error, key, store=store) from error


def _public(error: Exception, key: str, *, store: str) -> Exception:
    text = str(error)
    status = _first(_STATUS, text)
    code = _first(_CODE, text)
    if status == "416":
        return RangeBehindTheEnd()
    if _CREDENTIALS in text:
        return Unavailable(
            f"no keys are to be had for {store}",
            reason="STORE_NO_KEYS",
            mend="Name objects.access_key_file and secret_key_file, or give the process a role or AWS_* variables.",
        )
    if disbelieved := _first(_CERTIFICATE, text):
        return Unavailable(
            f"the certificate of {store} is not believed ({disbelieved})",
            reason="STORE_CERTIFICATE",
            mend="Name its authority as objects.ca_file, and in objects.endpoint a name that it bears.",
        )
    if code == "NoSuchBucket":
        return _refusal(f"there is no {store}", reason="STORE_NO_BUCKET", mend="Make the bucket, or mend objects.url.")
    if isinstance(error, FileNotFoundError):
        return NotFound(f"there is no object {key!r}", reason="OBJECT_NOT_FOUND")
    if code in _WRONG_REGION:
        return _refusal(f"{store} is in another region", reason="STORE_REGION", mend="Mend objects.region.")
    if status in _DENIED or type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError"):
        return _refusal(
            f"{store} refuses the platform ({code or status or 'denied'})",
            reason="STORE_DENIED",
            mend="Check the keys or the role, and that it may list, get, put and delete there.",
        )
    return Unavailable(
        f"{store} cannot be reached" if not status else f"{store} fails with {code or status}",
        reason="STORE_UNREACHABLE",
        mend="Check that the object store runs and that objects.endpoint is its address.",
    )


def _refusal(message: str, *, reason: str, mend: str) -> PlatformError:
    return FailedPrecondition(message, reason=reason, mend=mend)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found.group(1) if found is not None else ""
