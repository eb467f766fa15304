"""API keys: how one is written, what is kept of it, and whether it holds.

    flyte_laptop_Vb3...         prefix, name, 32 bytes

The name finds the key, the rest proves it. Only its SHA-256 is kept: 32 random bytes cannot be guessed, so nothing
slower is needed, and the digest opens nothing.

A key that is asked for with a request id is derived from it and from a secret of the platform, so that whoever lost the
answer and asks again is given the same key without its being kept anywhere. The request id is not kept either.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from flyteplane.foundation.errors import InvalidArgument, Unauthenticated
from flyteplane.identity.callers import Grant, Role

PREFIX: Final = "flyte_"
SECRET_BYTES: Final = 32
DEFAULT_VALID_US: Final = 90 * 86_400 * 1_000_000
LONGEST_VALID_US: Final = 366 * 86_400 * 1_000_000
MOST_GRANTS: Final = 50
FEWEST_REQUEST_ID_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is known of a key. Times are microseconds since the epoch."""

    name: str
    grants: tuple[Grant, ...]
    created_at_us: int
    created_by: str
    expires_at_us: int
    revoked_at_us: int | None = None

    @property
    def subject(self) -> str:
        """Who calls with it."""
        return f"key:{self.name}"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key with the digest of its secret."""

    key: ApiKey
    digest: bytes


def written(name: str, secret: str) -> str:
    """The key as its holder has it."""
    return f"{PREFIX}{name}_{secret}"


def parse(credential: str) -> tuple[str, str] | None:
    """Name and secret of a key; None for what is no key."""
    if not credential.startswith(PREFIX):
        return None
    name, separator, secret = credential[len(PREFIX) :].partition("_")
    return (name, secret) if name and separator and secret else None


def derived_secret(platform_key: bytes, *, by: str, name: str, request_id: str) -> str:
    """The secret of the key `name` that a caller asked for under a request id: the same for the same."""
    content = hmac.digest(platform_key, repr((by, name, request_id)).encode(), "sha256")
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def refuse_guessable(request_id: str) -> None:
    """Raise InvalidArgument for a request id that is too short to derive a key from."""
    if len(request_id) < FEWEST_REQUEST_ID_CHARACTERS:
        raise InvalidArgument(
            "the request id could be guessed, and the key is derived from it",
            reason="REQUEST_ID",
            field="request_id",
            limit=f"at least {FEWEST_REQUEST_ID_CHARACTERS} characters",
            mend="Use a random UUID, or leave it empty.",
        )


def digest_of(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def refuse_unless_held(stored: StoredKey | None, secret: str, *, now_us: int) -> ApiKey:
    """The key, if the secret is its own and it holds. Raises Unauthenticated (KEY_...).

    That a key has expired or was revoked is told only to whoever holds it.
    """
    # A name that nobody has takes as long as one that somebody has.
    expected = stored.digest if stored is not None else bytes(32)
    if not hmac.compare_digest(expected, digest_of(secret)) or stored is None:
        raise Unauthenticated(
            "the API key is not one of this platform",
            reason="KEY_UNKNOWN",
            mend="See that it was copied whole, and that it is for this platform.",
        )
    key = stored.key
    if key.revoked_at_us is not None:
        raise Unauthenticated("the API key was revoked", reason="KEY_REVOKED", mend="Ask for another one.")
    if now_us >= key.expires_at_us:
        raise Unauthenticated("the API key has expired", reason="KEY_EXPIRED", mend="Ask for another one.")
    return key


def lifetime_us(asked_us: int | None) -> int:
    """How long a key holds: what was asked for, or 90 days. Raises InvalidArgument beyond a year."""
    if asked_us is None:
        return DEFAULT_VALID_US
    if not 0 < asked_us <= LONGEST_VALID_US:
        raise InvalidArgument(
            "a key cannot hold that long",
            reason="KEY_LIFETIME",
            field="valid_for",
            limit="more than nothing, at most 366 days",
            mend="Give for example --valid-for 90d, and make another key before it ends.",
        )
    return asked_us


def check_grants(grants: tuple[Grant, ...]) -> None:
    """Raise InvalidArgument for a key that could do nothing, or has too many roles."""
    if not 0 < len(grants) <= MOST_GRANTS:
        raise InvalidArgument(
            f"a key with {len(grants)} roles",
            reason="KEY_GRANTS",
            field="grants",
            limit=f"1 to {MOST_GRANTS} roles",
            mend=f"Give it a role: {', '.join(role.word for role in Role)}.",
        )
