"""Whose credential is it? Keys of the store, keys in files, and tokens of identity providers.

What keys and roles allow is read anew each time; only the signatures of tokens are remembered, because they are dear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from flyteplane.admin.application.identity_ports import KeyStore, RoleStore
from flyteplane.admin.domain.api_key import parse, refuse_unless_held
from flyteplane.foundation.clock import Clock
from flyteplane.foundation.errors import Unauthenticated
from flyteplane.identity.callers import EVERYWHERE, Caller, Grant, Role
from flyteplane.identity.key_files import MountedKey, same
from flyteplane.identity.oidc.verifier import Identified, OidcVerifier
from flyteplane.identity.remembering import Known
from flyteplane.identity.settings import SubjectGrant

#: A token is verified again after this long at the latest, so that keys that were withdrawn stop to count.
VERIFIED_S: Final = 300.0
_MOST_REMEMBERED: Final = 4096
_ADMIN: Final = (Grant(Role.ADMIN, EVERYWHERE),)


@dataclass(frozen=True, slots=True)
class FileKeys:
    """Keys in files; both open everything."""

    owner: str = field(default="", repr=False)
    """The key of the platform's folder; empty: none."""
    bootstrap: MountedKey | None = None

    def caller(self, credential: str) -> Caller | None:
        """Who holds a key of a file; None if it is none."""
        if self.owner and same(self.owner, credential):
            return Caller(subject="key:owner", grants=_ADMIN)
        if self.bootstrap is not None and self.bootstrap.is_held_in(credential):
            return Caller(subject="key:bootstrap", grants=_ADMIN)
        return None


class Authentication:
    """The use case. One instance serves all calls."""

    def __init__(
        self,
        *,
        keys: KeyStore,
        roles: RoleStore,
        files: FileKeys,
        tokens: OidcVerifier,
        from_file: Sequence[SubjectGrant],
        clock: Clock,
    ) -> None:
        self._keys = keys
        self._roles = roles
        self._files = files
        self._tokens = tokens
        self._from_file = from_file
        self._clock = clock
        self._verified: dict[bytes, tuple[Identified, float]] = {}

    async def ask(self, credential: str) -> Known:
        """Whose a credential is. Raises Unauthenticated that says why it does not hold, Unavailable."""
        held = self._files.caller(credential)
        if held is not None:
            return Known(held)
        named = parse(credential)
        if named is not None:
            return await self._by_key(*named)
        if credential.count(".") == 2:
            return await self._by_token(credential)
        raise Unauthenticated(
            "the credential is neither an API key nor a token of this platform",
            reason="KEY_UNKNOWN",
            mend="See that it was copied whole, and that it is for this platform.",
        )

    async def _by_key(self, name: str, secret: str) -> Known:
        stored = await self._keys.find(name)
        key = refuse_unless_held(stored, secret, now_us=int(self._clock.now() * 1e6))
        return Known(Caller(subject=key.subject, grants=key.grants), key.expires_at_us / 1e6)

    async def _by_token(self, token: str) -> Known:
        verified = await self._verify(token)
        subjects = (verified.subject, *verified.groups)
        granted = {one.grant for one in self._from_file if one.subject in subjects}
        granted.update(await self._roles.of(subjects))
        return Known(Caller(subject=verified.subject, grants=tuple(sorted(granted))), verified.expires_at)

    async def _verify(self, token: str) -> Identified:
        mark = hashlib.sha256(token.encode()).digest()
        verified, until = self._verified.get(mark, (None, 0.0))
        if verified is not None and self._clock.monotonic() < until and self._clock.now() < verified.expires_at:
            return verified
        verified = await self._tokens.verify(token)
        self._verified.pop(mark, None)
        self._verified[mark] = (verified, self._clock.monotonic() + VERIFIED_S)
        while len(self._verified) > _MOST_REMEMBERED:
            self._verified.pop(next(iter(self._verified)))
        return verified
