"""The failure of a text of the command line that is no value of its type."""

from __future__ import annotations


class NotReadable(ValueError):
    """A text is no value of its type. The message says what would be."""
