"""Reads a token of an identity provider, and believes it only if everything about it is right."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import Unauthenticated
from flyteplane.identity.oidc.key_set import KeySet
from flyteplane.identity.settings import OidcSettings

_LONGEST_NAME: Final = 255
_MOST_GROUPS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """Whom a token names."""

    subject: str
    groups: tuple[str, ...]
    """With their prefix, as grants name them."""
    expires_at: float
    """Seconds since the epoch; the leeway is in it."""


class OidcVerifier:
    """The tokens of all providers that the platform trusts."""

    def __init__(
        self, providers: Sequence[OidcSettings], *, clock: Clock, key_sets: Mapping[str, KeySet] | None = None
    ) -> None:
        self._providers = {one.issuer: one for one in providers}
        self._clock = clock
        self._keys = key_sets if key_sets is not None else {one.issuer: _key_set(one, clock=clock) for one in providers}

    async def verify(self, token: str) -> Identified:
        """Whom a token names. Raises Unauthenticated (TOKEN_...), Unavailable while keys cannot be had."""
        header, provider = self._announced(token)
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in provider.algorithms:
            raise _refusal("is signed by an algorithm that is not accepted", "TOKEN_ALGORITHM")
        key = await self._keys[provider.issuer].find(str(header.get("kid", "")))
        if key is None:
            raise _refusal("is signed with a key that its provider does not have", "TOKEN_KEY")
        claims = self._verified(token, key, algorithm, provider)
        return Identified(
            subject=provider.subject_prefix + _subject(claims, provider),
            groups=tuple(provider.group_prefix + group for group in _groups(claims, provider)),
            expires_at=float(claims["exp"]) + provider.leeway_s,
        )

    def _announced(self, token: str) -> tuple[Mapping[str, Any], OidcSettings]:
        """What a token says of itself: only good for choosing the keys with which it has to prove it."""
        import jwt

        try:
            unverified = jwt.decode_complete(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise _refusal("cannot be read", "TOKEN_MALFORMED") from None
        if unverified["header"].get("crit"):
            raise _refusal("asks for what is not understood here", "TOKEN_MALFORMED")
        issuer = unverified["payload"].get("iss")
        provider = self._providers.get(issuer) if isinstance(issuer, str) else None
        if provider is None:
            raise _refusal("is from an issuer that this platform does not trust", "TOKEN_ISSUER")
        return unverified["header"], provider

    def _verified(self, token: str, key: Any, algorithm: str, provider: OidcSettings) -> Mapping[str, Any]:
        import jwt

        # Times are judged by our own clock, below.
        options: Any = {"require": ["exp", "iss", "aud"], "verify_exp": False, "verify_nbf": False, "verify_iat": False}
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=provider.audience,
                issuer=provider.issuer,
                options=options,
            )
        except jwt.InvalidAudienceError:
            raise _refusal("was made for another audience", "TOKEN_AUDIENCE") from None
        except jwt.MissingRequiredClaimError as error:
            raise _refusal(f"lacks the claim {error.claim}", "TOKEN_MALFORMED") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            # The library's own words may quote the token.
            raise _refusal("does not carry the signature of its provider", "TOKEN_SIGNATURE") from None
        self._check_times(claims, leeway_s=provider.leeway_s)
        return claims

    def _check_times(self, claims: Mapping[str, Any], *, leeway_s: float) -> None:
        now = self._clock.now()
        times = {name: claims.get(name) for name in ("exp", "nbf", "iat")}
        if any(time is not None and not _is_time(time) for time in times.values()):
            raise _refusal("has a time that cannot be read", "TOKEN_MALFORMED")
        if now >= claims["exp"] + leeway_s:
            raise _refusal("has expired", "TOKEN_EXPIRED")
        if any(time is not None and now + leeway_s < time for time in (times["nbf"], times["iat"])):
            raise _refusal("is not valid yet", "TOKEN_NOT_YET_VALID")


def _key_set(provider: OidcSettings, *, clock: Clock) -> KeySet:
    # Most platforms trust no provider, and need none of what this loads.
    from flyteplane.identity.oidc.fetching import fetcher

    fetch = fetcher(ca_file=provider.ca_file)
    return KeySet(provider.issuer, jwks_url=provider.jwks_url, fetch=fetch, clock=clock)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _subject(claims: Mapping[str, Any], provider: OidcSettings) -> str:
    subject = claims.get(provider.subject_claim)
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_NAME or not subject.isprintable():
        raise _refusal(f"names nobody in the claim {provider.subject_claim}", "TOKEN_SUBJECT")
    # With some providers everybody may write any address into an account, and their tokens do not speak of it.
    if provider.subject_claim == "email" and claims.get("email_verified") not in (True, "true"):
        raise _refusal("has an address that its provider does not say it verified", "TOKEN_SUBJECT")
    return subject


def _groups(claims: Mapping[str, Any], provider: OidcSettings) -> list[str]:
    groups = claims.get(provider.groups_claim, [])
    listed = [groups] if isinstance(groups, str) else groups
    if not isinstance(listed, list):
        return []
    return [group for group in listed[:_MOST_GROUPS] if isinstance(group, str) and 0 < len(group) <= _LONGEST_NAME]


def _refusal(what: str, reason: str) -> Unauthenticated:
    return Unauthenticated(f"the token {what}", reason=reason, mend="Log in again.")
