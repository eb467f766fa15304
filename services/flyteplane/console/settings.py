"""What the console is told when it is opened."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Where the console of an embedded platform listens unless the port is taken.
DEFAULT_PORT: Final = 7780


def no_credential() -> str:
    """The credential where the platform asks nobody who they are."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """Where it listens, whom it lets in, and how."""

    host: str
    port: int
    """0: any free one."""
    any_port_if_taken: bool = False
    """A port that somebody else has is no reason to refuse; another one is taken."""
    session_key: bytes
    """32 bytes; sessions that were sealed with another key are over."""
    link_file: Path | None = None
    """Where the link is kept that lets the owner of the platform in, once. None: people bring an API key."""
    owner_credential: Callable[[], str] = no_credential
    """What calls are made with for whoever came in by the link; may be empty."""
    public_url: str = ""
    """Where people reach the console if that is not where it listens, such as https://flyte.example.org."""
    tls: ssl.SSLContext | None = None
    """Encrypts the listener. None: plain HTTP, which belongs on loopback or behind a proxy."""
