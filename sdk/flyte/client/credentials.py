"""Who this process says it is: an API key, a key file, a token of a command, or the key of this machine's platform.

In this order: what `flyte.init` was given, the environment, the configuration file, and last the key that `flyte up`
made, if the platform of this machine is the one that is spoken to. Over a socket nothing is sent unless it was given:
the operating system lets nobody but the owner connect.

A command is asked again when its token is about to end, and when the platform refuses the token that it gave before.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flyte.client.call_metadata import call_metadata
from flyte.client.platform_folder import platform_folder, read_platform

if TYPE_CHECKING:
    from flyte.client.settings import ClientSettings

COMMAND_TIMEOUT_S: Final = 120.0
"""A command may ask a person to log in."""

_OWNER_KEY: Final = ("keys", "owner.key")
_RENEW_BEFORE_S: Final = 30.0
_KEPT_S: Final = 300.0
_LONGEST_COMPLAINT: Final = 300


class Credentials:
    """The credential of one connection. Used on one event loop only."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._credential = settings.api_key or ""
        self._until = float("inf") if settings.api_key else 0.0
        self._asking = asyncio.Lock()

    async def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with a call; nothing without a credential. Raises InitializationError if it cannot be had."""
        of_call = call_metadata()
        if self._settings.passthrough or any(name == "authorization" for name, _ in of_call):
            return of_call
        if time.time() >= self._until:
            async with self._asking:
                if time.time() >= self._until:
                    self._credential, self._until = await self._get()
        return (*of_call, ("authorization", f"Bearer {self._credential}")) if self._credential else of_call

    def renew(self) -> bool:
        """The platform refused the credential: forget it. Returns whether there may be another."""
        if not self._settings.command:
            return False
        self._until = 0.0
        return True

    async def _get(self) -> tuple[str, float]:
        """The credential, and until when it is used, in seconds since the epoch."""
        if self._settings.command:
            token = await asyncio.to_thread(_ask, self._settings.command)
            return token, _end_of(token)
        return _key_in(self._settings), float("inf")


def _key_in(settings: ClientSettings) -> str:
    if settings.api_key_file is not None:
        return _read(settings.api_key_file)
    assert settings.endpoint is not None
    if settings.endpoint.strip().startswith("unix:"):
        return ""
    folder = platform_folder()
    running = read_platform(folder)
    owner_key = folder.joinpath(*_OWNER_KEY)
    if running is None or running.endpoint != settings.endpoint or not owner_key.exists():
        return ""
    return _read(owner_key)


def _read(path: Path) -> str:
    try:
        return path.expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _failure(f"The API key cannot be read: {error}") from None


def _ask(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        raise _failure(f"The command that gives the token did not work: {error}") from None
    token = done.stdout.strip()
    if done.returncode != 0 or not token:
        said = " ".join(done.stderr.split())[-_LONGEST_COMPLAINT:]
        raise _failure(f"The command {command[0]} gave no token (exit code {done.returncode}): {said}")
    return token


def _end_of(token: str) -> float:
    """When a token is to be renewed: shortly before it says that it ends, or after some minutes."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"]) - _RENEW_BEFORE_S
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return time.time() + _KEPT_S


def _failure(message: str) -> Exception:
    from flyte.errors import InitializationError

    return InitializationError("CredentialError", "user", message)
