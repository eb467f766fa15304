"""Sessions without a table: a cookie that only this platform can make or read.

A cookie carries the credential that the person gave, sealed (Fernet: AES and HMAC) with a key that does not leave the
platform. So a session outlives a restart, and several consoles of a platform know the same sessions. What a session may
do is decided anew by the platform at each call: a credential that was taken back is of no use from then on.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from cryptography.fernet import Fernet, InvalidToken

if TYPE_CHECKING:
    from flyteplane.foundation.clock import Clock

#: After this the person is asked again.
SESSION_S: Final = 7 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who was let in."""

    subject: str
    """Who it is, as the platform says."""
    credential: str
    """What calls are made with; empty where the platform asks nobody."""
    form_token: str
    """Has to come with each change, so that no other page can make one."""


class Sessions:
    """Seals and opens sessions.

    Args:
        key: 32 secret bytes.
    """

    def __init__(self, key: bytes, *, clock: Clock) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(key))
        self._clock = clock

    def begin(self, *, subject: str, credential: str) -> str:
        """The cookie of a new session."""
        session = Session(subject=subject, credential=credential, form_token=secrets.token_urlsafe(24))
        return self._fernet.encrypt_at_time(json.dumps(asdict(session)).encode(), int(self._clock.now())).decode()

    def open(self, cookie: str) -> Session | None:
        """The session in a cookie; None if it is over or not ours."""
        try:
            content = self._fernet.decrypt_at_time(cookie.encode(), SESSION_S, int(self._clock.now()))
        except (InvalidToken, UnicodeEncodeError):
            return None
        return Session(**json.loads(content))
