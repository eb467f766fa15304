"""The keys of one identity provider, as it publishes them (JWKS).

Providers change their keys: a token with a key that is not known makes them be fetched again, but at most every
`AGAIN_S`, whatever strangers send. Keys that were withdrawn stop to count after `FRESH_S`. A provider that does not
answer costs nothing for a while: what is known of its keys holds for `STALE_S`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import Unavailable
from flyteplane.observe import get_logger

if TYPE_CHECKING:
    from jwt import PyJWK

    from flyteplane.identity.oidc.fetching import Fetch

AGAIN_S: Final = 10.0
FRESH_S: Final = 600.0
STALE_S: Final = 24 * 3600.0
_DISCOVERY: Final = "/.well-known/openid-configuration"
_MOST_KEYS: Final = 100
_SHORTEST_RSA_BITS: Final = 2048
_log = get_logger("identity")


class KeySet:
    """Keys by their id. One for each provider.

    Args:
        jwks_url: where the keys are; empty: where the discovery document of the issuer says.
    """

    def __init__(self, issuer: str, *, jwks_url: str, fetch: Fetch, clock: Clock) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._fetch = fetch
        self._clock = clock
        self._keys: Mapping[str, PyJWK] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str) -> PyJWK | None:
        """The key of that id; None if the provider has none. Raises Unavailable if that cannot be known."""
        known = self._known(key_id)
        if known is not None and self._age() < FRESH_S:
            return known
        async with self._fetching:
            # Whoever waited here finds what the one before has fetched.
            known = self._known(key_id)
            if known is not None and self._age() < FRESH_S:
                return known
            trouble = await self._fetch_again()
        found = self._known(key_id)
        if found is None and trouble is not None:
            raise trouble
        return found

    def _known(self, key_id: str) -> PyJWK | None:
        if self._age() > STALE_S:
            return None
        if not key_id:
            # A provider with one key need not name it.
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id)

    def _age(self) -> float:
        return float("inf") if self._fetched_at is None else self._clock.monotonic() - self._fetched_at

    async def _fetch_again(self) -> Unavailable | None:
        """Fetch the keys, unless that was tried just now. The trouble, if there was any."""
        now = self._clock.monotonic()
        if self._tried_at is not None and now - self._tried_at < AGAIN_S:
            return None if self._fetched_at is not None and self._fetched_at >= self._tried_at else _away(self._issuer)
        self._tried_at = now
        try:
            self._keys = _keys_in(await self._fetch(await self._url()))
        except Unavailable as error:
            _log.warning("issuer_keys_not_fetched", issuer=self._issuer, problem=error.message)
            return error
        self._fetched_at = now
        return None

    async def _url(self) -> str:
        if self._jwks_url:
            return self._jwks_url
        found = await self._fetch(self._issuer.rstrip("/") + _DISCOVERY)
        url = found.get("jwks_uri")
        secure = isinstance(url, str) and (url.startswith("https://") or self._issuer.startswith("http://"))
        if found.get("issuer") != self._issuer or not isinstance(url, str) or not secure:
            raise _away(self._issuer)
        return url


def _keys_in(document: Mapping[str, Any]) -> Mapping[str, PyJWK]:
    """The keys of a document that signatures can be verified with; others are passed over."""
    import jwt

    keys: dict[str, PyJWK] = {}
    listed = document.get("keys")
    for entry in listed[:_MOST_KEYS] if isinstance(listed, list) else ():
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or entry.get("kty") not in _KINDS:
            continue
        try:
            key = jwt.PyJWK.from_dict(entry)
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if getattr(key.key, "key_size", _SHORTEST_RSA_BITS) >= _SHORTEST_RSA_BITS or entry["kty"] != "RSA":
            keys[str(entry.get("kid", ""))] = key
    return keys


#: No shared secrets ("oct"): a provider that published one would let everybody sign.
_KINDS: Final = ("RSA", "EC", "OKP")


def _away(issuer: str) -> Unavailable:
    return Unavailable(
        f"the keys of the identity provider {issuer} cannot be had",
        reason="ISSUER_UNAVAILABLE",
        mend="Try again later; the log of the platform says more.",
        retry_after_s=AGAIN_S,
    )
