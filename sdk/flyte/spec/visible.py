"""Text of strangers, made fit to be shown.

Names, labels and errors are written by whoever runs tasks. Some characters are not seen and yet act: control characters
speak to a terminal, and others turn the direction of what follows, so that a text reads as another one than it is. Each
is shown as a sign of its own.
"""

from __future__ import annotations

import re
from typing import Final

#: C0 and C1 but tab and line feed, embeddings and overrides of direction, zero-width signs and line separators.
_ACTING: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_PICTURES: Final = 0x2400
_DELETE: Final = "\x7f"
_UNKNOWN: Final = "\N{REPLACEMENT CHARACTER}"


def visible_text(text: str) -> str:
    """The text without characters that act."""
    return text if text.isprintable() else _ACTING.sub(_picture, text)


def _picture(found: re.Match[str]) -> str:
    character = found[0]
    if character < " ":
        return chr(_PICTURES + ord(character))
    return "\N{SYMBOL FOR DELETE}" if character == _DELETE else _UNKNOWN
