"""What a scenario says that needs something which is not on this machine."""

from __future__ import annotations


class NotHere(Exception):
    """The message says what is missing."""
