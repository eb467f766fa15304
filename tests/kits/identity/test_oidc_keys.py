"""Keys of an identity provider change, and it is away at times."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.oidc import AUDIENCE, Issuer

from flyteplane.foundation.clock import ManualClock
from flyteplane.foundation.errors import InvalidArgument, Unauthenticated, Unavailable
from flyteplane.identity.oidc.fetching import fetcher
from flyteplane.identity.oidc.key_set import AGAIN_S, FRESH_S, STALE_S, KeySet
from flyteplane.identity.oidc.verifier import OidcVerifier
from flyteplane.identity.settings import IdentitySettings, OidcSettings


class Provider:
    """A verifier whose time stands still, and the provider that it asks."""

    def __init__(self, issuer: Issuer, **settings: Any) -> None:
        self.issuer = issuer
        self.clock = ManualClock()
        given = OidcSettings(issuer=issuer.url, audience=AUDIENCE, **settings)
        keys = KeySet(issuer.url, jwks_url=given.jwks_url, fetch=fetcher(), clock=self.clock)
        self.verifier = OidcVerifier([given], clock=self.clock, key_sets={issuer.url: keys})

    async def subject(self, **claims: Any) -> str:
        now = int(self.clock.now())
        token = self.issuer.token(**{"iat": now, "exp": now + 100_000, **claims})
        return (await self.verifier.verify(token)).subject


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer


@pytest.fixture
def provider(issuer: Issuer) -> Provider:
    return Provider(issuer)


async def refused(provider: Provider, **claims: Any) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await provider.subject(**claims)
    return caught.value.reason


async def test_a_new_key_is_fetched_with_the_first_token_that_bears_it(provider: Provider) -> None:
    assert await provider.subject() == await provider.subject() == "oidc:alice@example.org"
    assert provider.issuer.asked == 1
    provider.issuer.rotate("second", algorithm="RS256")
    provider.clock.advance(AGAIN_S)
    assert await provider.subject()
    assert provider.issuer.asked == 2


async def test_strangers_cannot_make_the_platform_ask_again_and_again(provider: Provider) -> None:
    await provider.subject()
    for number in range(5):
        token = provider.issuer.token(headers={"kid": f"invented-{number}"})
        with pytest.raises(Unauthenticated, match="does not have"):
            await provider.verifier.verify(token)
    assert provider.issuer.asked == 1


async def test_a_key_that_was_withdrawn_counts_no_longer_after_a_while(provider: Provider) -> None:
    now = int(provider.clock.now())
    old = provider.issuer.token(iat=now, exp=now + 100_000)
    await provider.verifier.verify(old)
    provider.issuer.rotate("second")
    provider.clock.advance(FRESH_S)
    with pytest.raises(Unauthenticated, match="does not have"):
        await provider.verifier.verify(old)


async def test_a_provider_that_is_away_costs_nothing_for_a_while(provider: Provider) -> None:
    await provider.subject()
    provider.issuer.down = True
    provider.clock.advance(FRESH_S)
    assert await provider.subject()
    provider.clock.advance(STALE_S)
    with pytest.raises(Unavailable):
        await provider.subject()


async def test_keys_that_were_never_seen_are_no_refusal_of_the_token(provider: Provider) -> None:
    provider.issuer.down = True
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            await provider.subject()
        assert caught.value.retry_after_s
    provider.issuer.down = False
    provider.clock.advance(AGAIN_S)
    assert await provider.subject()


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": float("nan")}, "TOKEN_MALFORMED"),
        ({"exp": True}, "TOKEN_MALFORMED"),
        ({"exp": "tomorrow"}, "TOKEN_MALFORMED"),
        ({"exp": 0}, "TOKEN_EXPIRED"),
        ({"iat": 4_000_000_000}, "TOKEN_NOT_YET_VALID"),
        ({"aud": None}, "TOKEN_MALFORMED"),
        ({"aud": [AUDIENCE + "-other"]}, "TOKEN_AUDIENCE"),
        ({"sub": "a\nb"}, "TOKEN_SUBJECT"),
        ({"sub": "x" * 300}, "TOKEN_SUBJECT"),
    ],
)
async def test_claims_that_cannot_be_believed(provider: Provider, claims: dict[str, Any], reason: str) -> None:
    found = await refused(provider, **claims)
    assert found == reason or (reason == "TOKEN_MALFORMED" and found == "TOKEN_SIGNATURE")


async def test_an_address_counts_only_if_the_provider_has_verified_it(issuer: Issuer) -> None:
    provider = Provider(issuer, subject_claim="email")
    assert await provider.subject(email="a@b.c", email_verified=True) == "oidc:a@b.c"
    assert await provider.subject(email="a@b.c", email_verified="true") == "oidc:a@b.c"
    for verified in ({}, {"email_verified": False}, {"email_verified": "false"}, {"email_verified": 2}):
        assert await refused(provider, email="a@b.c", **verified) == "TOKEN_SUBJECT"


async def test_a_small_number_of_algorithms_may_be_named(issuer: Issuer) -> None:
    assert await refused(Provider(issuer, algorithms=("RS256",))) == "TOKEN_ALGORITHM"


def test_shared_secrets_and_other_peoples_addresses_cannot_be_configured() -> None:
    for settings in (
        {"algorithms": ("HS256",)},
        {"algorithms": ("none",)},
        {"issuer": "http://issuer.example.org"},
        {"jwks_url": "ftp://issuer.example.org"},
        {"audience": ""},
        {"leeway_s": 3600.0},
        {"subject_prefix": "key:"},
        {"subject_prefix": "group:"},
        {"group_prefix": ""},
    ):
        with pytest.raises(InvalidArgument):
            OidcSettings(**{"issuer": "https://issuer.example.org", "audience": "a", **settings})  # type: ignore[arg-type]  # wrong on purpose
    twice = [OidcSettings(issuer=f"https://{name}.example.org", audience="a") for name in "ab"]
    with pytest.raises(InvalidArgument, match="subject_prefix"):
        IdentitySettings(oidc=tuple(twice))
