"""Ids and randomness as parameters.

Everything that invents a name takes an `IdSource`. `SystemIds` draws from the operating system; `SeededIds` gives the
same names for the same seed, so that a simulation can be run again.
"""

import base64
import random
import secrets
from collections.abc import Callable
from typing import Final, Protocol

_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
#: Characters that follow the `r` of a run's name: 36**19 names, about 98 bits.
RUN_NAME_CHARACTERS: Final = 19


class IdSource(Protocol):
    """Invents ids."""

    def unique(self, size_bytes: int = 16) -> str:
        """A url-safe id with `size_bytes` bytes of randomness, without padding."""

    def run_name(self) -> str:
        """A name for a run: `r` and 19 lower-case base-36 characters; a valid DNS label."""

    def fraction(self) -> float:
        """A number in [0, 1), for jitter and sampling."""


def _url_safe(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _run_name(below: Callable[[int], int]) -> str:
    return "r" + "".join(_BASE36[below(36)] for _ in range(RUN_NAME_CHARACTERS))


class SystemIds:
    """Ids that nobody can guess, from the operating system's randomness."""

    def unique(self, size_bytes: int = 16) -> str:
        return _url_safe(secrets.token_bytes(size_bytes))

    def run_name(self) -> str:
        return _run_name(secrets.randbelow)

    def fraction(self) -> float:
        return secrets.randbits(53) / (1 << 53)


class SeededIds:
    """The same ids for the same seed. For tests and the simulation only: they can be guessed."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def unique(self, size_bytes: int = 16) -> str:
        return _url_safe(self._random.randbytes(size_bytes))

    def run_name(self) -> str:
        return _run_name(self._random.randrange)

    def fraction(self) -> float:
        return self._random.random()
