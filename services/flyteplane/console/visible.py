"""Text of strangers, made fit to be shown.

Names, labels, logs and errors are written by whoever runs tasks. Escaping of HTML is the templates' part; what is left
are characters that are not seen and yet act: control characters, and those that turn the direction of what follows, so
that a text reads as another one than it is. Each is shown as a sign of its own.
"""

from __future__ import annotations

import re
from typing import Any, Final

#: C0 and C1 but tab and line feed, embeddings and overrides of direction, zero-width signs and line separators.
_ACTING: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_PICTURES: Final = 0x2400
_DELETE: Final = "\x7f"
_UNKNOWN: Final = "\N{REPLACEMENT CHARACTER}"


def visible(value: Any) -> Any:
    """A value as templates put it out: text without characters that act, anything else as it is."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return _ACTING.sub(_picture, value) if not value.isprintable() else value


def _picture(found: re.Match[str]) -> str:
    character = found[0]
    if character < " ":
        return chr(_PICTURES + ord(character))
    return "\N{SYMBOL FOR DELETE}" if character == _DELETE else _UNKNOWN
