"""The link that lets the owner of an embedded platform in.

It lies in a file of the platform's folder that nobody else may read, and holds once: whoever finds it in the history of
a shell or of a browser finds a link that was used. The file then has the next one.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from pathlib import Path


class LoginLink:
    """The link and its file.

    Args:
        path: the file; replaced whole, mode 0600.
        url: address of the console.
    """

    def __init__(self, path: Path, *, url: str) -> None:
        self._path = path
        self._url = url
        self._token = ""
        self._renew()

    def use(self, token: str) -> bool:
        """Whether this is the token of the present link, which then ends."""
        if not hmac.compare_digest(token.encode(errors="replace"), self._token.encode()):
            return False
        self._renew()
        return True

    def _renew(self) -> None:
        self._token = secrets.token_urlsafe(32)
        content = {"url": self._url, "link": f"{self._url}/login?token={self._token}"}
        temporary = self._path.with_name(f".{self._path.name}")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(json.dumps(content) + "\n")
        temporary.replace(self._path)
