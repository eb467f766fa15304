"""Who calls with the token of an attempt: the one judgement for streams and for data.

A token holds for its time, and is renewed over the worker's stream while it does. Beyond its time it holds only for an
attempt that has not begun: its pod was given the token when it was asked for, and may have waited for a node since.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from flyteplane.foundation.errors import Unauthenticated
from flyteplane.rpc.tokens import REFUSED, Claims, TokenExpired, TokenKind

#: A token is renewed when this part of its time is over.
RENEWED_AFTER: Final = 0.25


class Verifier(Protocol):
    """Reads tokens; `flyteplane.rpc.tokens.TokenVerifier`."""

    def verify(self, token: str) -> Claims:
        """What the token says. Raises Unauthenticated, TokenExpired."""


class AttemptTokens:
    """Reads tokens of attempts.

    Args:
        still_to_begin: whether the attempt that these claims name is current and has not begun.
    """

    def __init__(self, verifier: Verifier, *, still_to_begin: Callable[[Claims], bool]) -> None:
        self._verifier = verifier
        self._still_to_begin = still_to_begin

    def claims(self, token: str) -> Claims:
        """What the token says. Raises Unauthenticated for one that is not ours, not an attempt's, or too old."""
        try:
            claims = self._verifier.verify(token)
        except TokenExpired as expired:
            if not self._still_to_begin(expired.claims):
                raise
            claims = expired.claims
        if claims.kind is not TokenKind.ATTEMPT:
            raise Unauthenticated("the token is not that of an attempt", reason=REFUSED)
        return claims
