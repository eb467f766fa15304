"""Credentials as they come in: `authorization: Bearer ...`, an API key or a token of an identity provider.

A credential is never logged, never kept, and never in an error. What is remembered of it is its SHA-256.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from flyteplane.foundation.errors import Unauthenticated
from flyteplane.identity.callers import Caller

METADATA_KEY: Final = "authorization"
#: More is refused before anything is read of it. Tokens with many groups have some kilobytes.
MOST_CREDENTIAL_BYTES: Final = 8 * 1024
_BEARER: Final = "bearer "


class Authenticator(Protocol):
    """Knows credentials."""

    async def authenticate(self, credential: str) -> Caller:
        """Who holds it. Raises Unauthenticated that says why not, Unavailable while that cannot be known."""

    async def changed(self) -> None:
        """Return once a key was revoked or a role taken away here; what is open is then looked at again."""


def bearer_of(metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
    """The credential of a call; None without any.

    Raises Unauthenticated: CREDENTIAL_MALFORMED, CREDENTIAL_TOO_LARGE.
    """
    found = [value for key, value in metadata if key == METADATA_KEY]
    if not found:
        return None
    value = found[0]
    if len(found) > 1 or not isinstance(value, str):
        raise _malformed()
    if len(value) > MOST_CREDENTIAL_BYTES + len(_BEARER):
        raise Unauthenticated(
            "the credential is too large",
            reason="CREDENTIAL_TOO_LARGE",
            limit=f"{MOST_CREDENTIAL_BYTES // 1024} KiB",
            mend="Have the identity provider put fewer claims or groups into its tokens.",
        )
    credential = value[len(_BEARER) :].strip()
    if value[: len(_BEARER)].lower() != _BEARER or not credential or not credential.isascii():
        raise _malformed()
    return credential


def missing() -> Unauthenticated:
    """The refusal of a call without a credential."""
    return Unauthenticated(
        "the call carries no credential",
        reason="CREDENTIAL_MISSING",
        mend="Give an API key (FLYTE_API_KEY, or admin.apiKeyFile in the configuration), or log in by `admin.command`.",
    )


def _malformed() -> Unauthenticated:
    return Unauthenticated(
        "the credential cannot be read",
        reason="CREDENTIAL_MALFORMED",
        mend="Send one `authorization` of the form `Bearer KEY`.",
    )
