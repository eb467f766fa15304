"""Who calls with the token of an attempt: the one judgement for streams and for data.

A token holds for its time, and beyond it for as long as its attempt is under way: a task may run for days.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from flyteplane.foundation.errors import Unauthenticated
from flyteplane.rpc.tokens import REFUSED, Claims, TokenExpired, TokenKind


class Verifier(Protocol):
    """Reads tokens; `flyteplane.rpc.tokens.TokenVerifier`."""

    def verify(self, token: str) -> Claims:
        """What the token says. Raises Unauthenticated, TokenExpired."""


class AttemptTokens:
    """Reads tokens of attempts.

    Args:
        runs_still: whether the attempt that these claims name is under way.
    """

    def __init__(self, verifier: Verifier, *, runs_still: Callable[[Claims], bool]) -> None:
        self._verifier = verifier
        self._runs_still = runs_still

    def claims(self, token: str) -> Claims:
        """What the token says. Raises Unauthenticated for one that is not ours, not an attempt's, or too old."""
        try:
            claims = self._verifier.verify(token)
        except TokenExpired as expired:
            if not self._runs_still(expired.claims):
                raise
            claims = expired.claims
        if claims.kind is not TokenKind.ATTEMPT:
            raise Unauthenticated("the token is not that of an attempt", reason=REFUSED)
        return claims
